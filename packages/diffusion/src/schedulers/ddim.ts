/** DDIM (arXiv 2010.02502) without added noise (eta 0), as diffusers' DDIMScheduler. */

import { roundHalfToEven } from '../rounding.ts';
import { alphasCumprod, spacedTimesteps } from './noise-schedule.ts';
import { noiseMap, originalMap } from './prediction.ts';
import { mixNoise, type Scheduler } from './scheduler.ts';
import type { SchedulerConfig } from './scheduler-config.ts';

/** Creates DDIM for a number of inference steps (1 to numTrainTimesteps). */
export function createDdimScheduler(config: SchedulerConfig, numInferenceSteps: number): Scheduler {
  const alphas = alphasCumprod(config);
  const finalAlpha = (config.setAlphaToOne ?? true) ? 1 : alphas[0]!;
  // Rounded in ascending order by numpy, but rounding does not depend on the order; linspace alone has fractions.
  const timesteps = spacedTimesteps(config, config.timestepSpacing ?? 'leading', numInferenceSteps).map(
    roundHalfToEven,
  );
  const stride = Math.floor(config.numTrainTimesteps / numInferenceSteps);
  const clipRange = config.clipSample ? config.clipSampleRange : Number.POSITIVE_INFINITY;

  return {
    timesteps,
    initNoiseSigma: 1,
    scaleModelInput: (sample) => sample,
    step(modelOutput, index, sample) {
      const timestep = timesteps[index]!;
      const alpha = alphas[timestep]!;
      // diffusers goes back by the stride, not to the next timestep: with linspace and trailing the two can differ.
      const alphaPrevious = timestep - stride >= 0 ? alphas[timestep - stride]! : finalAlpha;
      const original = originalMap(config.predictionType, Math.sqrt(alpha), Math.sqrt(1 - alpha));
      const noise = noiseMap(config.predictionType, Math.sqrt(alpha), Math.sqrt(1 - alpha));
      const signalScale = Math.sqrt(alphaPrevious);
      const noiseScale = Math.sqrt(1 - alphaPrevious);
      const previousSample = new Float32Array(sample.length);
      const predictedOriginal = new Float32Array(sample.length);
      for (let element = 0; element < sample.length; element++) {
        const output = modelOutput[element]!;
        const current = sample[element]!;
        const clean = original.ofOutput * output + original.ofSample * current;
        const clipped = Math.min(Math.max(clean, -clipRange), clipRange);
        predictedOriginal[element] = clipped;
        previousSample[element] =
          signalScale * clipped + noiseScale * (noise.ofOutput * output + noise.ofSample * current);
      }
      return { previousSample, predictedOriginal };
    },
    addNoise(clean, noise, index) {
      const alpha = alphas[timesteps[index]!]!;
      return mixNoise(clean, noise, Math.sqrt(alpha), Math.sqrt(1 - alpha));
    },
  };
}
