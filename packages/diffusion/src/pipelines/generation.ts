/** The run that every task shares: encode the prompts, denoise one image per seed, refine it when asked, decode. */

import { setImmediate } from 'node:timers/promises';
import { type Conditioning, type DenoiseStart, denoise } from '../denoise.ts';
import { throwIfAborted } from '../errors.ts';
import { createAestheticTimeIds, createTimeIds, type PixelSize } from '../micro-conditioning.ts';
import { createNoiseGenerator, type NoiseGenerator } from '../random.ts';
import { createScheduler } from '../schedulers/registry.ts';
import type { Scheduler, SchedulerStep } from '../schedulers/scheduler.ts';
import type { FloatTensor } from '../tensor.ts';
import { encodeNegativePrompt, encodePrompt } from '../text-encoding.ts';
import type { TimestepRange } from '../timestep-range.ts';
import { decodeLatents, type RgbImage } from '../vae.ts';
import { planRefinement, type RefinementPlan } from './refinement.ts';
import {
  assertGenerationRequest,
  assertSize,
  type GenerationProgress,
  type GenerationRequest,
  type GenerationResult,
  type RefinerRequest,
} from './request.ts';
import type { Denoiser, StableDiffusionXlModel } from './stable-diffusion-xl-model.ts';

/** Where one image's loop starts, given the image's random stream. */
export type StartImage = (
  generator: NoiseGenerator,
  scheduler: Scheduler,
  range: TimestepRange,
) => DenoiseStart;

/** What a task adds to the shared run. */
export interface GenerationTask {
  readonly size: PixelSize;
  /** The UNet calls that the task makes. Throws `invalid_request` when that is none. */
  rangeOf(scheduler: Scheduler): TimestepRange;
  /** Encodes the source pictures, once for all seeds. */
  prepare(): Promise<StartImage>;
  readonly refiner?: RefinerRequest | undefined;
}

/** Runs one request on a loaded model; errors as StableDiffusionXl's methods. */
export async function generate(
  model: StableDiffusionXlModel,
  request: GenerationRequest,
  task: GenerationTask,
  signal: AbortSignal,
): Promise<GenerationResult> {
  throwIfAborted(signal);
  assertGenerationRequest(request);
  assertSize(model.folder, task.size);
  // Each image gets a scheduler of its own, because schedulers may remember earlier outputs; all are made now, so that a bad name
  // or step count fails before any work.
  const plans = request.seeds.map(() => planImage(model, request, task));
  const startedAt = performance.now();
  await report(request, signal, { phase: 'encode', step: 0, steps: 1, imageIndex: 0 });
  const conditioning = await encodeRequest(model, request, task.size);
  const refinerConditioning =
    model.refiner && task.refiner && (await encodeRequest(model.refiner, request, task.size));
  const startImage = await task.prepare();
  await report(request, signal, { phase: 'encode', step: 1, steps: 1, imageIndex: 0 });

  const encodedAt = performance.now();
  const steps = plans.reduce(
    (sum, { range, refinement }) => sum + lengthOf(range) + lengthOf(refinement?.range),
    0,
  );
  const latents: FloatTensor[] = [];
  let step = 0;
  // One image after the other: a batch would need the memory of all at once, and its sums could round differently.
  for (const [imageIndex, { scheduler, range, refinement }] of plans.entries()) {
    const generator = createNoiseGenerator(request.seeds[imageIndex]!);
    const start = startImage(generator, scheduler, range);
    const shared = {
      generator,
      signal,
      onStep: ({ predictedOriginal, previousSample }: SchedulerStep, durationMs: number) => {
        step++;
        const state = { latents: predictedOriginal, sample: previousSample, latentsShape: start.sample.dims };
        return request.onProgress?.({ phase: 'denoise', step, steps, imageIndex, durationMs, ...state });
      },
    };
    let sample = await denoise({ ...shared, unet: model.unet, scheduler, range, conditioning, start });
    if (refinement && refinerConditioning && model.refiner) {
      sample = await denoise({
        ...shared,
        unet: model.refiner.unet,
        scheduler: refinement.scheduler,
        range: refinement.range,
        conditioning: refinerConditioning,
        start: refinement.start(sample, generator),
      });
    }
    latents.push(sample);
  }
  const denoisedAt = performance.now();
  const images = await decodeImages(model, request, latents, signal);
  const endedAt = performance.now();
  const { positive, negative } = conditioning;
  return {
    images,
    truncatedTokens: {
      prompt: positive.truncatedTokens,
      negativePrompt: negative?.truncatedTokens ?? 0,
    },
    timings: {
      encode: encodedAt - startedAt,
      denoise: denoisedAt - encodedAt,
      decode: endedAt - denoisedAt,
      total: endedAt - startedAt,
    },
  };
}

interface ImagePlan {
  readonly scheduler: Scheduler;
  readonly range: TimestepRange;
  readonly refinement: RefinementPlan | undefined;
}

function planImage(
  model: StableDiffusionXlModel,
  request: GenerationRequest,
  task: GenerationTask,
): ImagePlan {
  const scheduler = createScheduler(
    request.scheduler,
    model.folder.schedulerConfig,
    request.numInferenceSteps,
  );
  const range = task.rangeOf(scheduler);
  if (!task.refiner) return { scheduler, range, refinement: undefined };
  const { baseRange, ...refinement } = planRefinement(model, request.scheduler, task.refiner, {
    scheduler,
    range,
  });
  return { scheduler, range: baseRange, refinement };
}

function lengthOf(range: TimestepRange | undefined): number {
  return range ? range.end - range.first : 0;
}

async function encodeRequest(
  { towers, folder }: Denoiser,
  request: GenerationRequest,
  size: PixelSize,
): Promise<Conditioning> {
  const { guidanceScale, negativePrompt, guidanceRescale = 0 } = request;
  const positive = await encodePrompt(towers, request.prompt, request.clipSkip ?? 0);
  const negative =
    guidanceScale > 1
      ? await encodeNegativePrompt(towers, negativePrompt, positive, folder.forceZerosForEmptyPrompt)
      : undefined;
  const timeIdsOf = (prompt: 'positive' | 'negative') =>
    folder.requiresAestheticsScore ? createAestheticTimeIds(size, prompt) : createTimeIds(size);
  return {
    positive: { ...positive, timeIds: timeIdsOf('positive') },
    negative: negative && { ...negative, timeIds: timeIdsOf('negative') },
    guidanceScale,
    guidanceRescale,
  };
}

async function decodeImages(
  model: StableDiffusionXlModel,
  request: GenerationRequest,
  latents: readonly FloatTensor[],
  signal: AbortSignal,
): Promise<(RgbImage & { seed: number })[]> {
  const images: (RgbImage & { seed: number })[] = [];
  await report(request, signal, { phase: 'decode', step: 0, steps: latents.length, imageIndex: 0 });
  for (const [imageIndex, tensor] of latents.entries()) {
    const image = await decodeLatents(model.vaeDecoder, tensor, model.folder.vae);
    images.push({ ...image, seed: request.seeds[imageIndex]! });
    await report(request, signal, {
      phase: 'decode',
      step: images.length,
      steps: latents.length,
      imageIndex,
    });
  }
  return images;
}

/** Tells the listener, then lets aborts and messages in: encoders and decoder hold the thread as the UNet does. */
async function report(
  request: GenerationRequest,
  signal: AbortSignal,
  progress: GenerationProgress,
): Promise<void> {
  await request.onProgress?.(progress);
  await setImmediate();
  throwIfAborted(signal);
}
