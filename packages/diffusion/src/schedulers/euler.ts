/** Euler steps in sigma space (algorithm 2 of arXiv 2206.00364 without churn), as diffusers' EulerDiscreteScheduler. */

import { originalMapOfSigma, refuseSamplePrediction } from './prediction.ts';
import type { Scheduler } from './scheduler.ts';
import type { SchedulerConfig } from './scheduler-config.ts';
import { createSigmaSchedule } from './sigma-schedule.ts';

/** Creates Euler for a number of inference steps (1 to numTrainTimesteps). */
export function createEulerScheduler(config: SchedulerConfig, numInferenceSteps: number): Scheduler {
  refuseSamplePrediction('K_EULER', config.predictionType);
  const { sigmas, ...schedule } = createSigmaSchedule(config, numInferenceSteps, {
    hasSigmaSpacings: true,
    hasFinalSigma: true,
    hasZeroSnr: true,
    hasKarrasRange: true,
  });

  return {
    ...schedule,
    step(modelOutput, index, sample) {
      const sigma = sigmas[index]!;
      const sigmaDifference = sigmas[index + 1]! - sigma;
      const { ofOutput, ofSample } = originalMapOfSigma(config.predictionType, sigma);
      const previousSample = new Float32Array(sample.length);
      const predictedOriginal = new Float32Array(sample.length);
      for (let element = 0; element < sample.length; element++) {
        const current = sample[element]!;
        const clean = ofOutput * modelOutput[element]! + ofSample * current;
        predictedOriginal[element] = clean;
        previousSample[element] = current + ((current - clean) / sigma) * sigmaDifference;
      }
      return { previousSample, predictedOriginal };
    },
  };
}
