/** The interface that every scheduler has, so that the denoising loop knows none of them by name. */

/** One step's result; both arrays are new, so a caller may keep them. */
export interface SchedulerStep {
  /** The sample for the next step, same length as the one given. */
  previousSample: Float32Array;
  /** The clean sample (x0) that the model's output implies at this step: what a preview shows. */
  predictedOriginal: Float32Array;
}

/**
 * A noise schedule set to a number of steps. One object serves one image: multistep schedulers remember earlier outputs, so steps
 * are taken in order, once each. Arithmetic is float64 between float32 arrays, within 1e-5 of diffusers.
 */
export interface Scheduler {
  /** The timestep of each UNet call, in order; some schedulers call the UNet more often than the user's step count says. */
  readonly timesteps: readonly number[];
  /** The factor that turns N(0, 1) noise into the first sample. */
  readonly initNoiseSigma: number;
  /** The UNet's input for call `index`, from the current sample; may return the sample itself. */
  scaleModelInput(sample: Float32Array, index: number): Float32Array;
  /** Moves the sample from `timesteps[index]` to the next by the UNet's (guided) output. */
  step(modelOutput: Float32Array, index: number, sample: Float32Array): SchedulerStep;
}
