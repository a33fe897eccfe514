/** DDIM (arXiv 2010.02502) without added noise (eta 0), as diffusers' DDIMScheduler. */

import { roundHalfToEven } from '../rounding.ts';
import { alphasCumprod, spacedTimesteps } from './noise-schedule.ts';
import type { Scheduler } from './scheduler.ts';
import type { PredictionType, SchedulerConfig } from './scheduler-config.ts';

/** Creates DDIM for a number of inference steps (1 to numTrainTimesteps). */
export function createDdimScheduler(config: SchedulerConfig, numInferenceSteps: number): Scheduler {
  const alphas = alphasCumprod(config);
  const finalAlpha = config.setAlphaToOne ? 1 : alphas[0]!;
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
      const [original, noise] = conversions(config.predictionType, Math.sqrt(alpha), Math.sqrt(1 - alpha));
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
  };
}

interface LinearMap {
  ofOutput: number;
  ofSample: number;
}

/** How x0 and the noise follow from model output and sample, where sample = signal * x0 + deviation * noise. */
function conversions(prediction: PredictionType, signal: number, deviation: number): [LinearMap, LinearMap] {
  switch (prediction) {
    case 'epsilon':
      return [
        { ofOutput: -deviation / signal, ofSample: 1 / signal },
        { ofOutput: 1, ofSample: 0 },
      ];
    case 'v_prediction':
      return [
        { ofOutput: -deviation, ofSample: signal },
        { ofOutput: signal, ofSample: deviation },
      ];
    case 'sample':
      return [
        { ofOutput: 1, ofSample: 0 },
        { ofOutput: -signal / deviation, ofSample: 1 / deviation },
      ];
  }
}
