/** Classifier-free guidance and what goes with it. */

import type { FloatTensor } from './tensor.ts';

/**
 * unconditional + scale * (conditional - unconditional). With `rescale` above 0 the result's deviation is drawn back to that of the
 * conditional output by that share (section 3.4 of arXiv 2305.08891), which stops high scales from overexposing. One sample each.
 */
export function applyGuidance(
  unconditional: Float32Array,
  conditional: Float32Array,
  scale: number,
  rescale: number,
): Float32Array {
  const guided = unconditional.map((value, index) => value + scale * (conditional[index]! - value));
  if (rescale === 0) return guided;
  const factor = rescale * (standardDeviation(conditional) / standardDeviation(guided)) + (1 - rescale);
  return guided.map((value) => value * factor);
}

/**
 * The `timestep_cond` [1, width] of UNets distilled from guidance (LCM): a sinusoid of 1000 * (scale - 1), sines first
 * (diffusers' get_guidance_scale_embedding).
 */
export function createGuidanceEmbedding(scale: number, width: number): FloatTensor {
  const half = Math.floor(width / 2);
  const data = new Float32Array(width);
  for (let index = 0; index < half; index++) {
    const angle = (scale - 1) * 1000 * Math.exp((-Math.log(10000) * index) / (half - 1));
    data[index] = Math.sin(angle);
    data[half + index] = Math.cos(angle);
  }
  return { data, dims: [1, width] };
}

/** With Bessel's correction, as torch.std. */
function standardDeviation(values: Float32Array): number {
  let sum = 0;
  for (const value of values) sum += value;
  const mean = sum / values.length;
  let squares = 0;
  for (const value of values) squares += (value - mean) ** 2;
  return Math.sqrt(squares / (values.length - 1));
}
