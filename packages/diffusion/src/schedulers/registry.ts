/** The schedulers by the names that requests use: add one here and it exists everywhere. */

import { DiffusionError } from '../errors.ts';
import { createDdimScheduler } from './ddim.ts';
import { createEulerScheduler } from './euler.ts';
import type { Scheduler } from './scheduler.ts';
import type { SchedulerConfig } from './scheduler-config.ts';

const SCHEDULERS = {
  DDIM: { diffusersClass: 'DDIMScheduler', create: createDdimScheduler },
  K_EULER: { diffusersClass: 'EulerDiscreteScheduler', create: createEulerScheduler },
} as const satisfies Record<
  string,
  { diffusersClass: string; create: (config: SchedulerConfig, numInferenceSteps: number) => Scheduler }
>;

/** A scheduler by its request name. */
export type SchedulerName = keyof typeof SCHEDULERS;

/** Every scheduler that this package has. */
export const SCHEDULER_NAMES = Object.keys(SCHEDULERS) as readonly SchedulerName[];

/** The request name of a diffusers class (scheduler_config.json's `_class_name`); null when we do not have that scheduler. */
export function schedulerNameOf(diffusersClass: unknown): SchedulerName | null {
  return SCHEDULER_NAMES.find((name) => SCHEDULERS[name].diffusersClass === diffusersClass) ?? null;
}

/** Creates a scheduler by name. Throws `unsupported` for an unknown name, `invalid_request` for a bad number of steps. */
export function createScheduler(name: string, config: SchedulerConfig, numInferenceSteps: number): Scheduler {
  const known = SCHEDULER_NAMES.find((candidate) => candidate === name);
  if (!known) {
    throw new DiffusionError(
      'unsupported',
      `Scheduler ${JSON.stringify(name)} is not available; choose one of ${SCHEDULER_NAMES.join(', ')}.`,
    );
  }
  if (
    !Number.isInteger(numInferenceSteps) ||
    numInferenceSteps < 1 ||
    numInferenceSteps > config.numTrainTimesteps
  ) {
    throw new DiffusionError(
      'invalid_request',
      `num_inference_steps is ${numInferenceSteps}; expected a whole number from 1 to ${config.numTrainTimesteps}.`,
    );
  }
  return SCHEDULERS[known].create(config, numInferenceSteps);
}
