/** Classifier-free guidance: from the outputs with and without the prompt to one that follows the prompt more. */

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
  const factor = rescale * (spread(conditional) / spread(guided)) + (1 - rescale);
  return guided.map((value) => value * factor);
}

/** The standard deviation times a factor of the length, which cancels where two of one length are compared. */
function spread(values: Float32Array): number {
  let sum = 0;
  for (const value of values) sum += value;
  const mean = sum / values.length;
  let squares = 0;
  for (const value of values) squares += (value - mean) ** 2;
  return Math.sqrt(squares);
}
