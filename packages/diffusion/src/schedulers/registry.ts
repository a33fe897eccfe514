/** The schedulers by the names that requests use: add one here and it exists everywhere. */

import { DiffusionError } from '../errors.ts';
import { createDdimScheduler } from './ddim.ts';
import { createDpmSolverMultistepScheduler } from './dpm-solver-multistep.ts';
import { createDpmSolverSinglestepScheduler } from './dpm-solver-singlestep.ts';
import { createEulerScheduler } from './euler.ts';
import { createEulerAncestralScheduler } from './euler-ancestral.ts';
import { createLinearMultistepScheduler } from './linear-multistep.ts';
import { createPndmScheduler } from './pndm.ts';
import type { Scheduler } from './scheduler.ts';
import type { SchedulerConfig } from './scheduler-config.ts';

const SCHEDULERS = {
  DDIM: { diffusersClass: 'DDIMScheduler', create: createDdimScheduler },
  PNDM: { diffusersClass: 'PNDMScheduler', create: createPndmScheduler },
  KLMS: { diffusersClass: 'LMSDiscreteScheduler', create: createLinearMultistepScheduler },
  K_EULER: { diffusersClass: 'EulerDiscreteScheduler', create: createEulerScheduler },
  K_EULER_ANCESTRAL: {
    diffusersClass: 'EulerAncestralDiscreteScheduler',
    create: createEulerAncestralScheduler,
  },
  DPMSolverMultistep: {
    diffusersClass: 'DPMSolverMultistepScheduler',
    create: createDpmSolverMultistepScheduler,
  },
  DPMSolverSinglestep: {
    diffusersClass: 'DPMSolverSinglestepScheduler',
    create: createDpmSolverSinglestepScheduler,
  },
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
  const largest = maxInferenceSteps(config);
  if (!Number.isInteger(numInferenceSteps) || numInferenceSteps < 1 || numInferenceSteps > largest) {
    throw new DiffusionError(
      'invalid_request',
      `num_inference_steps is ${numInferenceSteps}; expected a whole number from 1 to ${largest}.`,
    );
  }
  return SCHEDULERS[known].create(config, numInferenceSteps);
}

/** The largest step count. One less than training had: with all of them, an offset of 1 would lead past the last one. */
export function maxInferenceSteps(config: SchedulerConfig): number {
  return config.numTrainTimesteps - 1;
}
