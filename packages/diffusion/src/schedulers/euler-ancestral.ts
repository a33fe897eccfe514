/** Euler steps that go further down than asked and come back up with fresh noise, as diffusers' EulerAncestralDiscreteScheduler. */

import { originalMapOfSigma, refuseSamplePrediction } from './prediction.ts';
import type { Scheduler } from './scheduler.ts';
import type { SchedulerConfig } from './scheduler-config.ts';
import { createSigmaSchedule } from './sigma-schedule.ts';

/** Creates Euler ancestral for a number of inference steps (1 to numTrainTimesteps). */
export function createEulerAncestralScheduler(config: SchedulerConfig, numInferenceSteps: number): Scheduler {
  refuseSamplePrediction('K_EULER_ANCESTRAL', config.predictionType);
  const { sigmas, ...schedule } = createSigmaSchedule(config, numInferenceSteps, {
    hasSigmaSpacings: false,
    hasFinalSigma: false,
    hasZeroSnr: true,
    hasKarrasRange: false,
  });

  return {
    ...schedule,
    step(modelOutput, index, sample, generator) {
      const sigma = sigmas[index]!;
      const sigmaTo = sigmas[index + 1]!;
      const up = Math.sqrt((sigmaTo ** 2 * (sigma ** 2 - sigmaTo ** 2)) / sigma ** 2);
      const down = Math.sqrt(sigmaTo ** 2 - up ** 2);
      const { ofOutput, ofSample } = originalMapOfSigma(config.predictionType, sigma);
      // Drawn on the last step too, where `up` is 0: a generator that goes on afterwards must be where torch's is.
      const noise = generator.normal(sample.length);
      const previousSample = new Float32Array(sample.length);
      const predictedOriginal = new Float32Array(sample.length);
      for (let element = 0; element < sample.length; element++) {
        const current = sample[element]!;
        const clean = ofOutput * modelOutput[element]! + ofSample * current;
        predictedOriginal[element] = clean;
        previousSample[element] =
          current + ((current - clean) / sigma) * (down - sigma) + up * noise[element]!;
      }
      return { previousSample, predictedOriginal };
    },
  };
}
