/** The schedulers of flow matching, by the class that a model folder names. */

import { DiffusionError } from '../errors.ts';
import type { FlowSchedulerConfig } from './flow-config.ts';
import { createFlowMatchEulerScheduler } from './flow-match-euler.ts';
import type { Scheduler } from './scheduler.ts';
import { createUniPcScheduler } from './unipc.ts';

const CREATE = {
  UniPCMultistepScheduler: createUniPcScheduler,
  FlowMatchEulerDiscreteScheduler: createFlowMatchEulerScheduler,
};

/** Creates the scheduler that the config names. Throws `invalid_request` for a bad number of steps. */
export function createFlowScheduler(config: FlowSchedulerConfig, numInferenceSteps: number): Scheduler {
  const { numTrainTimesteps, schedulerClass } = config;
  if (
    !Number.isInteger(numInferenceSteps) ||
    numInferenceSteps < 1 ||
    numInferenceSteps > numTrainTimesteps
  ) {
    throw new DiffusionError(
      'invalid_request',
      `num_inference_steps is ${numInferenceSteps}; expected a whole number from 1 to ${numTrainTimesteps}.`,
    );
  }
  return CREATE[schedulerClass](config, numInferenceSteps);
}
