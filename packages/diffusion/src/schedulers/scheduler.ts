/** The interface that every scheduler has, so that the denoising loop knows none of them by name. */

import type { NoiseGenerator } from '../random.ts';

/** One step's result; both arrays are new, so a caller may keep them. */
export interface SchedulerStep {
  /** The sample for the next step, same length as the one given. */
  previousSample: Float32Array;
  /** The clean sample (x0) that the model's output implies at this step: what a preview shows. */
  predictedOriginal: Float32Array;
}

/**
 * A noise schedule set to a number of steps. One object serves one image: multistep schedulers remember earlier outputs, so steps
 * are taken in order, once each, from any first index. Arithmetic is float64 between float32 arrays, within 1e-5 of diffusers.
 */
export interface Scheduler {
  /** The timestep of each UNet call, in order; some schedulers call the UNet more often than the user's step count says. */
  readonly timesteps: readonly number[];
  /** The factor that turns N(0, 1) noise into the first sample. */
  readonly initNoiseSigma: number;
  /** The UNet's input for call `index`, from the current sample; may return the sample itself. */
  scaleModelInput(sample: Float32Array, index: number): Float32Array;
  /**
   * Moves the sample from `timesteps[index]` to the next by the UNet's (guided) output. Ancestral and SDE schedulers draw noise of
   * the sample's size from `generator` on every step, the last one included; the others leave it alone.
   */
  step(
    modelOutput: Float32Array,
    index: number,
    sample: Float32Array,
    generator: NoiseGenerator,
  ): SchedulerStep;
  /** A clean sample with N(0, 1) noise added to the level that UNet call `index` expects: where img2img starts. */
  addNoise(clean: Float32Array, noise: Float32Array, index: number): Float32Array;
}

/** `ofClean * clean + ofNoise * noise`, element by element. */
export function mixNoise(
  clean: Float32Array,
  noise: Float32Array,
  ofClean: number,
  ofNoise: number,
): Float32Array {
  return clean.map((value, element) => ofClean * value + ofNoise * noise[element]!);
}
