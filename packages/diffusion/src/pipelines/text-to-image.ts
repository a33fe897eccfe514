/** Text to image as diffusers' StableDiffusionXLPipeline runs it: encode, denoise each seed's noise, decode. */

import { setImmediate } from 'node:timers/promises';
import { type Conditioning, denoise } from '../denoise.ts';
import { DiffusionError, throwIfAborted } from '../errors.ts';
import { createGuidanceEmbedding } from '../guidance.ts';
import { createTimeIds } from '../micro-conditioning.ts';
import { createNoiseGenerator } from '../random.ts';
import { createScheduler, type SchedulerName } from '../schedulers/registry.ts';
import type { Scheduler } from '../schedulers/scheduler.ts';
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
  assertRequest(model, request);
  // Each image gets a scheduler of its own, because schedulers may remember earlier outputs; all are made now, so that a bad name
  // or step count fails before any work.
  const { schedulerConfig } = model.folder;
  const schedulers = request.seeds.map(() =>
    createScheduler(request.scheduler, schedulerConfig, request.numInferenceSteps),
  );
  const report = async (progress: GenerationProgress) => {
    await request.onProgress?.(progress);
    // Encoding and decoding hold the thread as the UNet does: let aborts and messages in before them.
    await setImmediate();
    throwIfAborted(signal);
  };

  const startedAt = performance.now();
  throwIfAborted(signal);
  await report({ phase: 'encode', step: 0, steps: 1, imageIndex: 0 });
  const conditioning = await encodeConditioning(model, request);
  await report({ phase: 'encode', step: 1, steps: 1, imageIndex: 0 });

  const encodedAt = performance.now();
  const steps = schedulers.reduce((sum, scheduler) => sum + scheduler.timesteps.length, 0);
  const latents: FloatTensor[] = [];
  let done = 0;
  for (const [imageIndex, seed] of request.seeds.entries()) {
    const scheduler = schedulers[imageIndex]!;
    const sample = createInitialSample(model, request, seed, scheduler);
    const onStep = ({
      predictedOriginal,
      previousSample,
    }: {
      predictedOriginal: Float32Array;
      previousSample: Float32Array;
    }) => {
      done++;
      const shown = { latents: predictedOriginal, sample: previousSample, latentsShape: sample.dims };
      return request.onProgress?.({ phase: 'denoise', step: done, steps, imageIndex, ...shown });
    };
    latents.push(await denoise({ unet: model.unet, scheduler, conditioning, sample, signal, onStep }));
  }

  const denoisedAt = performance.now();
  await report({ phase: 'decode', step: 0, steps: latents.length, imageIndex: 0 });
  const images: (RgbImage & { seed: number })[] = [];
  for (const [imageIndex, tensor] of latents.entries()) {
    const image = await decodeLatents(model.vaeDecoder, tensor, model.folder.vae);
    images.push({ ...image, seed: request.seeds[imageIndex]! });
    await report({ phase: 'decode', step: imageIndex + 1, steps: latents.length, imageIndex });
  }
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

async function encodeConditioning(
  model: StableDiffusionXlModel,
  request: TextToImageRequest,
): Promise<Conditioning> {
  const { forceZerosForEmptyPrompt, timeCondProjDim } = model.folder;
  const { guidanceScale, negativePrompt } = request;
  const positive = await encodePrompt(model.towers, request.prompt, request.clipSkip ?? 0);
  // A distilled UNet takes the scale as an input instead of running twice.
  const isGuided = guidanceScale > 1 && timeCondProjDim === null;
  return {
    positive,
    negative: isGuided
      ? await encodeNegativePrompt(model.towers, negativePrompt, positive, forceZerosForEmptyPrompt)
      : undefined,
    timeIds: createTimeIds({ width: request.width, height: request.height }),
    guidanceEmbedding:
      timeCondProjDim === null ? undefined : createGuidanceEmbedding(guidanceScale, timeCondProjDim),
    guidanceScale,
    guidanceRescale: request.guidanceRescale ?? 0,
  };
}

/** Float32 CPU noise whatever the graph's dtype, so that a seed means the same picture on every machine. */
function createInitialSample(
  model: StableDiffusionXlModel,
  { width, height }: TextToImageRequest,
  seed: number,
  scheduler: Scheduler,
): FloatTensor {
  const { latentChannels, vaeScaleFactor } = model.folder;
  const dims = [1, latentChannels, height / vaeScaleFactor, width / vaeScaleFactor];
  const noise = createNoiseGenerator(seed).normal(dims.reduce((size, dim) => size * dim));
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
