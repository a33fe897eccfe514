/** Which of a scheduler's UNet calls a run makes: all of them, or a part by strength or by the share of noise. */

import { DiffusionError } from './errors.ts';
import { roundHalfToEven } from './rounding.ts';
import type { Scheduler } from './schedulers/scheduler.ts';

/** Indices into `scheduler.timesteps`; `end` is not included. */
export interface TimestepRange {
  readonly first: number;
  readonly end: number;
}

/** Every call: from pure noise to the clean sample. */
export function wholeRange({ timesteps }: Scheduler): TimestepRange {
  return { first: 0, end: timesteps.length };
}

/**
 * The last `strength` share of the steps, which repaint a picture that much. Throws `invalid_request` when no step is left. The cut
 * is counted in steps as in diffusers, also for PNDM, which makes one call more than steps.
 */
export function rangeOfStrength(
  { timesteps }: Scheduler,
  numInferenceSteps: number,
  strength: number,
): TimestepRange {
  const steps = Math.min(Math.trunc(numInferenceSteps * strength), numInferenceSteps);
  if (steps < 1) {
    throw new DiffusionError(
      'invalid_request',
      `strength is ${strength}; with ${numInferenceSteps} steps that leaves none to take, expected at least ${1 / numInferenceSteps}.`,
    );
  }
  return { first: numInferenceSteps - steps, end: timesteps.length };
}

/** The part of a range before the share `denoisingEnd` (0 to 1) of all noise is gone: a base model's part. May be empty. */
export function rangeUntil(
  { timesteps }: Scheduler,
  range: TimestepRange,
  denoisingEnd: number,
  numTrainTimesteps: number,
): TimestepRange {
  const cutoff = cutoffTimestep(denoisingEnd, numTrainTimesteps);
  const kept = timesteps.slice(range.first, range.end).filter((timestep) => timestep >= cutoff).length;
  return { first: range.first, end: range.first + kept };
}

/** The rest, from where the share `denoisingStart` of all noise is gone: a refiner's part. May be empty. */
export function rangeFrom(
  { timesteps }: Scheduler,
  denoisingStart: number,
  numTrainTimesteps: number,
): TimestepRange {
  const cutoff = cutoffTimestep(denoisingStart, numTrainTimesteps);
  const kept = timesteps.filter((timestep) => timestep < cutoff).length;
  return { first: timesteps.length - kept, end: timesteps.length };
}

function cutoffTimestep(share: number, numTrainTimesteps: number): number {
  return roundHalfToEven(numTrainTimesteps - share * numTrainTimesteps);
}
