/** The linear multistep method in sigma space (order 4), as diffusers' LMSDiscreteScheduler. */

import { originalMapOfSigma } from './prediction.ts';
import type { Scheduler } from './scheduler.ts';
import type { SchedulerConfig } from './scheduler-config.ts';
import { createSigmaSchedule } from './sigma-schedule.ts';

const ORDER = 4;

/**
 * Creates LMS for a number of inference steps (1 to numTrainTimesteps). As in diffusers, a run that starts at a later index (img2img)
 * takes the weights of the full order from its first step on, though earlier derivatives are missing then.
 */
export function createLinearMultistepScheduler(
  config: SchedulerConfig,
  numInferenceSteps: number,
): Scheduler {
  const { sigmas, ...schedule } = createSigmaSchedule(config, numInferenceSteps, {
    hasSigmaSpacings: true,
    hasFinalSigma: false,
    hasZeroSnr: false,
    hasKarrasRange: false,
  });
  /** The last derivatives d sample / d sigma, newest first. */
  let derivatives: Float32Array[] = [];

  return {
    ...schedule,
    step(modelOutput, index, sample) {
      const sigma = sigmas[index]!;
      const { ofOutput, ofSample } = originalMapOfSigma(config.predictionType, sigma);
      const predictedOriginal = sample.map(
        (current, element) => ofOutput * modelOutput[element]! + ofSample * current,
      );
      const derivative = sample.map((current, element) => (current - predictedOriginal[element]!) / sigma);
      derivatives = [derivative, ...derivatives].slice(0, ORDER);
      const weights = multistepWeights(sigmas, index, Math.min(index + 1, ORDER));
      const previousSample = sample.map((current, element) =>
        derivatives.reduce((sum, values, age) => sum + weights[age]! * values[element]!, current),
      );
      return { previousSample, predictedOriginal };
    },
  };
}

/** The integral of each Lagrange basis polynomial over the step; two Gauss-Legendre points are exact up to degree 3. */
function multistepWeights(sigmas: Float32Array, index: number, order: number): number[] {
  const [start, end] = [sigmas[index]!, sigmas[index + 1]!];
  const middle = (start + end) / 2;
  const offset = (end - start) / 2 / Math.sqrt(3);
  return Array.from({ length: order }, (_, age) => {
    const basis = (sigma: number) => lagrangeBasis(sigmas, index, order, age, sigma);
    return ((basis(middle - offset) + basis(middle + offset)) * (end - start)) / 2;
  });
}

/** The polynomial that is 1 at the sigma `age` steps ago and 0 at the other `order - 1` ones. */
function lagrangeBasis(
  sigmas: Float32Array,
  index: number,
  order: number,
  age: number,
  sigma: number,
): number {
  const own = sigmas[index - age]!;
  let product = 1;
  for (let other = 0; other < order; other++) {
    if (other === age) continue;
    const node = sigmas[index - other]!;
    product *= (sigma - node) / (own - node);
  }
  return product;
}
