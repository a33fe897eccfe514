/** The refiner's part of a picture: the last steps of the base model's schedule, or a pass of its own over finished latents. */

import type { DenoiseStart } from '../denoise.ts';
import { DiffusionError } from '../errors.ts';
import type { NoiseGenerator } from '../random.ts';
import { createScheduler, type SchedulerName } from '../schedulers/registry.ts';
import type { Scheduler } from '../schedulers/scheduler.ts';
import type { FloatTensor } from '../tensor.ts';
import { rangeFrom, rangeOfStrength, rangeUntil, type TimestepRange } from '../timestep-range.ts';
import { assertRefinerRequest, type RefinerRequest } from './request.ts';
import type { StableDiffusionXlModel } from './stable-diffusion-xl-model.ts';

/** What the refiner does with one image. */
export interface RefinementPlan {
  readonly scheduler: Scheduler;
  readonly range: TimestepRange;
  /** The refiner's first sample from the base model's last one; the image's random stream goes on. */
  start(sample: FloatTensor, generator: NoiseGenerator): DenoiseStart;
}

/** Splits the work on one image between base model and refiner. Errors as StableDiffusionXl's methods. */
export function planRefinement(
  model: StableDiffusionXlModel,
  schedulerName: SchedulerName,
  request: RefinerRequest,
  base: { scheduler: Scheduler; range: TimestepRange },
): RefinementPlan & { baseRange: TimestepRange } {
  assertRefinerRequest(model, request);
  const { numInferenceSteps, highNoiseFraction, strength } = request;
  const config = model.refiner!.folder.schedulerConfig;
  const scheduler = createScheduler(schedulerName, config, numInferenceSteps);
  if (highNoiseFraction === null) {
    const range = rangeOfStrength(scheduler, numInferenceSteps, strength);
    return {
      scheduler,
      range,
      baseRange: base.range,
      start({ data, dims }, generator) {
        const noise = generator.normal(data.length);
        return { sample: { data: scheduler.addNoise(data, noise, range.first), dims } };
      },
    };
  }
  const { numTrainTimesteps } = model.folder.schedulerConfig;
  const baseRange = rangeUntil(base.scheduler, base.range, highNoiseFraction, numTrainTimesteps);
  const range = rangeFrom(scheduler, highNoiseFraction, config.numTrainTimesteps);
  if (range.end === range.first || baseRange.end === baseRange.first) {
    const idle = range.end === range.first ? 'the refiner' : 'the base model';
    throw new DiffusionError(
      'invalid_request',
      `high_noise_frac is ${highNoiseFraction}; with this many steps that leaves none for ${idle}, expected a value nearer to the middle or more steps.`,
    );
  }
  // The sample is handed over as it is: at the cutoff both schedules have the same noise level.
  return { scheduler, range, baseRange, start: (sample) => ({ sample }) };
}
