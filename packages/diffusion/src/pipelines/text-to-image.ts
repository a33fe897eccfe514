/** Text to image as diffusers' StableDiffusionXLPipeline runs it: encode, denoise each seed's noise, decode. */

import { setImmediate } from 'node:timers/promises';
import { type Conditioning, denoise } from '../denoise.ts';
import { DiffusionError, throwIfAborted } from '../errors.ts';
import { createTimeIds } from '../micro-conditioning.ts';
import { createNoiseGenerator, type NoiseGenerator } from '../random.ts';
import { createScheduler, type SchedulerName } from '../schedulers/registry.ts';
import type { Scheduler, SchedulerStep } from '../schedulers/scheduler.ts';
import type { FloatTensor } from '../tensor.ts';
import { encodeNegativePrompt, encodePrompt } from '../text-encoding.ts';
import { decodeLatents, type RgbImage } from '../vae.ts';
import type { StableDiffusionXlModel } from './stable-diffusion-xl-model.ts';

/** How far a request is: `step` of `steps` of this phase are done, all images counted together. */
export interface GenerationProgress {
  readonly phase: 'encode' | 'denoise' | 'decode';
  readonly step: number;
  readonly steps: number;
  /** Index into `seeds` of the image that this step worked on. */
  readonly imageIndex: number;
  /** In `denoise`: the clean latents that this step predicts (x0), channels x height x width; give them to previewRgb. */
  readonly latents?: Float32Array;
  /** In `denoise`: the noisy latents after this step, diffusers' own `latents`. */
  readonly sample?: Float32Array;
  /** In `denoise`: the shape of both, [1, channels, height, width]. */
  readonly latentsShape?: readonly number[];
}

/** What to paint; names and meanings as in diffusers. */
export interface TextToImageRequest {
  readonly prompt: string;
  /** null is not "": models with forceZerosForEmptyPrompt take zeros for null and the encoding of "" for "". */
  readonly negativePrompt: string | null;
  /** Pixels; multiples of config.sizeMultiple. */
  readonly width: number;
  readonly height: number;
  readonly numInferenceSteps: number;
  /** Guidance runs above 1 only. */
  readonly guidanceScale: number;
  readonly scheduler: SchedulerName;
  /** One image each; whole numbers from 0 to 2^32 - 1. */
  readonly seeds: readonly number[];
  /** Layers of the text encoders to leave out beyond the last; 0 when absent. */
  readonly clipSkip?: number;
  /** 0 to 1; 0 when absent. */
  readonly guidanceRescale?: number;
  readonly signal?: AbortSignal;
  /** Waited for; called at the start of `encode` and `decode` (step 0) and after each step. */
  readonly onProgress?: (progress: GenerationProgress) => void | Promise<void>;
}

/** Pictures in the order of the seeds. */
export interface TextToImageResult {
  readonly images: readonly (RgbImage & { readonly seed: number })[];
  /** Milliseconds by phase: encode, denoise, decode, total. */
  readonly timings: Readonly<Record<'encode' | 'denoise' | 'decode' | 'total', number>>;
}

/** Runs one request on a loaded model; errors as StableDiffusionXl.textToImage. */
export async function generateTextToImage(
  model: StableDiffusionXlModel,
  request: TextToImageRequest,
  signal: AbortSignal,
): Promise<TextToImageResult> {
  throwIfAborted(signal);
  assertRequest(model, request);
  // Each image gets a scheduler of its own, because schedulers may remember earlier outputs; all are made now, so that a bad name
  // or step count fails before any work.
  const { schedulerConfig } = model.folder;
  const schedulers = request.seeds.map(() =>
    createScheduler(request.scheduler, schedulerConfig, request.numInferenceSteps),
  );
  const startedAt = performance.now();
  const conditioning = await encodeRequest(model, request, signal);
  const encodedAt = performance.now();
  const latents = await denoiseSeeds(model, request, schedulers, conditioning, signal);
  const denoisedAt = performance.now();
  const images = await decodeImages(model, request, latents, signal);
  const endedAt = performance.now();
  return {
    images,
    timings: {
      encode: encodedAt - startedAt,
      denoise: denoisedAt - encodedAt,
      decode: endedAt - denoisedAt,
      total: endedAt - startedAt,
    },
  };
}

async function encodeRequest(
  model: StableDiffusionXlModel,
  request: TextToImageRequest,
  signal: AbortSignal,
): Promise<Conditioning> {
  const { towers, folder } = model;
  const { guidanceScale, negativePrompt } = request;
  await report(request, signal, { phase: 'encode', step: 0, steps: 1, imageIndex: 0 });
  const positive = await encodePrompt(towers, request.prompt, request.clipSkip ?? 0);
  const negative =
    guidanceScale > 1
      ? await encodeNegativePrompt(towers, negativePrompt, positive, folder.forceZerosForEmptyPrompt)
      : undefined;
  await report(request, signal, { phase: 'encode', step: 1, steps: 1, imageIndex: 0 });
  const timeIds = createTimeIds({ width: request.width, height: request.height });
  return { positive, negative, timeIds, guidanceScale, guidanceRescale: request.guidanceRescale ?? 0 };
}

/** One image after the other: a batch would need the memory of all at once, and its sums could round differently. */
async function denoiseSeeds(
  model: StableDiffusionXlModel,
  request: TextToImageRequest,
  schedulers: readonly Scheduler[],
  conditioning: Conditioning,
  signal: AbortSignal,
): Promise<FloatTensor[]> {
  const steps = schedulers.reduce((sum, scheduler) => sum + scheduler.timesteps.length, 0);
  const latents: FloatTensor[] = [];
  let step = 0;
  for (const [imageIndex, seed] of request.seeds.entries()) {
    const scheduler = schedulers[imageIndex]!;
    const generator = createNoiseGenerator(seed);
    const sample = createInitialSample(model, request, generator, scheduler);
    const onStep = ({ predictedOriginal, previousSample }: SchedulerStep) => {
      step++;
      const state = { latents: predictedOriginal, sample: previousSample, latentsShape: sample.dims };
      return request.onProgress?.({ phase: 'denoise', step, steps, imageIndex, ...state });
    };
    latents.push(
      await denoise({ unet: model.unet, scheduler, conditioning, sample, generator, signal, onStep }),
    );
  }
  return latents;
}

async function decodeImages(
  model: StableDiffusionXlModel,
  request: TextToImageRequest,
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
  request: TextToImageRequest,
  signal: AbortSignal,
  progress: GenerationProgress,
): Promise<void> {
  await request.onProgress?.(progress);
  await setImmediate();
  throwIfAborted(signal);
}

/** Float32 CPU noise whatever the graph's dtype, so that a seed means the same picture on every machine. */
function createInitialSample(
  model: StableDiffusionXlModel,
  { width, height }: TextToImageRequest,
  generator: NoiseGenerator,
  scheduler: Scheduler,
): FloatTensor {
  const { latentChannels, vaeScaleFactor } = model.folder;
  const dims = [1, latentChannels, height / vaeScaleFactor, width / vaeScaleFactor];
  const noise = generator.normal(dims.reduce((size, dim) => size * dim));
  return { data: noise.map((value) => value * scheduler.initNoiseSigma), dims };
}

function assertRequest(model: StableDiffusionXlModel, request: TextToImageRequest): void {
  const { sizeMultiple } = model.folder;
  for (const field of ['width', 'height'] as const) {
    const isMultiple =
      Number.isInteger(request[field]) && request[field] > 0 && request[field] % sizeMultiple === 0;
    assertField(field, request[field], isMultiple, `a multiple of ${sizeMultiple}`);
  }
  const { prompt, negativePrompt, guidanceScale, guidanceRescale = 0, seeds } = request;
  assertField('prompt', prompt, typeof prompt === 'string', 'a string');
  const isNegative = negativePrompt === null || typeof negativePrompt === 'string';
  assertField('negative_prompt', negativePrompt, isNegative, 'a string or null');
  assertField('guidance_scale', guidanceScale, guidanceScale >= 0 && guidanceScale < 1e6, 'a number from 0');
  const isShare = guidanceRescale >= 0 && guidanceRescale <= 1;
  assertField('guidance_rescale', guidanceRescale, isShare, 'a number from 0 to 1');
  const areSeeds =
    seeds.length > 0 && seeds.every((seed) => Number.isInteger(seed) && seed >= 0 && seed < 2 ** 32);
  assertField('seeds', seeds, areSeeds, 'at least one whole number, each from 0 to 4294967295');
}

function assertField(field: string, value: unknown, isValid: boolean, expected: string): void {
  if (isValid) return;
  throw new DiffusionError('invalid_request', `${field} is ${JSON.stringify(value)}; expected ${expected}.`);
}
