/** Euler steps along the flow (arXiv 2403.03206), as diffusers' FlowMatchEulerDiscreteScheduler. */

import type { FlowSchedulerConfig } from './flow-config.ts';
import { equalSteps, shiftSigma } from './flow-sigmas.ts';
import { mixNoise, type Scheduler } from './scheduler.ts';

const { fround } = Math;

/** Creates it for a number of inference steps. Timesteps are fractional. */
export function createFlowMatchEulerScheduler(
  { numTrainTimesteps, shift }: FlowSchedulerConfig,
  numInferenceSteps: number,
): Scheduler {
  // The class shifts the training range when it is made, and the steps within that range once more.
  const smallest = fround(shiftSigma(fround(1 / numTrainTimesteps), shift));
  const spaced = equalSteps(
    numTrainTimesteps,
    smallest * numTrainTimesteps,
    numInferenceSteps,
    numInferenceSteps - 1,
  );
  const shifted = spaced.map((timestep) => shiftSigma(timestep / numTrainTimesteps, shift));
  const sigmas = Float32Array.from([...shifted, 0]);

  return {
    timesteps: Array.from(sigmas.subarray(0, numInferenceSteps), (sigma) =>
      fround(sigma * numTrainTimesteps),
    ),
    initNoiseSigma: 1,
    scaleModelInput: (sample) => sample,
    step(velocity, index, sample) {
      const sigma = sigmas[index]!;
      const difference = sigmas[index + 1]! - sigma;
      return {
        previousSample: sample.map((value, element) => value + difference * velocity[element]!),
        predictedOriginal: sample.map((value, element) => value - sigma * velocity[element]!),
      };
    },
    addNoise: (clean, noise, index) => mixNoise(clean, noise, 1 - sigmas[index]!, sigmas[index]!),
  };
}
