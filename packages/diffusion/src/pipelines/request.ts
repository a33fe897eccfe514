/** What every task's request has in common, what comes back, and the checks that need the loaded model. */

import { DiffusionError } from '../errors.ts';
import type { ImageTask, ModelFolder } from '../model-folder.ts';
import type { SchedulerName } from '../schedulers/registry.ts';
import type { SourceImage } from '../source-image.ts';
import type { RgbImage } from '../vae.ts';
import type { StableDiffusionXlModel } from './stable-diffusion-xl-model.ts';

/** How far a request is: `step` of `steps` of this phase are done, all images counted together. */
export interface GenerationProgress {
  readonly phase: 'encode' | 'denoise' | 'decode';
  readonly step: number;
  readonly steps: number;
  /** Index into `seeds` of the image that this step worked on. */
  readonly imageIndex: number;
  /** In `denoise`: how long this step took, in milliseconds. */
  readonly durationMs?: number;
  /** In `denoise`: the clean latents that this step predicts (x0), channels x height x width; give them to previewRgb. */
  readonly latents?: Float32Array;
  /** In `denoise`: the noisy latents after this step, diffusers' own `latents`. */
  readonly sample?: Float32Array;
  /** In `denoise`: the shape of both, [1, channels, height, width]. */
  readonly latentsShape?: readonly number[];
}

/** How the refiner finishes each picture, for models loaded with one. */
export interface RefinerRequest {
  readonly numInferenceSteps: number;
  /**
   * Between 0 and 1: the base model stops when this share of the noise is gone and the refiner takes the rest (an ensemble of
   * experts). null: the base model finishes, and the refiner repaints its latents with `strength`.
   */
  readonly highNoiseFraction: number | null;
  /** Above 0, at most 1. */
  readonly strength: number;
}

/** What to paint; names and meanings as in diffusers. */
export interface GenerationRequest {
  readonly prompt: string;
  /** null is not "": models with forceZerosForEmptyPrompt take zeros for null and the encoding of "" for "". */
  readonly negativePrompt: string | null;
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

/** How many tokens at the end of each prompt were cut off, because the model reads no more than config.maxPromptTokens. */
export interface TruncatedTokens {
  readonly prompt: number;
  /** 0 where no guidance runs, because then it is not read at all. */
  readonly negativePrompt: number;
}

/** Pictures in the order of the seeds. */
export interface GenerationResult {
  readonly images: readonly (RgbImage & { readonly seed: number })[];
  readonly truncatedTokens: TruncatedTokens;
  /** Milliseconds by phase: encode, denoise, decode, total. */
  readonly timings: Readonly<Record<'encode' | 'denoise' | 'decode' | 'total', number>>;
}

/** Throws `unsupported` when the loaded folder cannot do the task. */
export function assertTask({ tasks, folder }: ModelFolder, task: ImageTask): void {
  if (tasks.includes(task)) return;
  throw new DiffusionError(
    'unsupported',
    `The model cannot do ${task}; ${tasks.length > 0 ? `it can do ${tasks.join(', ')}` : `${folder} has no VAE encoder`}.`,
  );
}

/** Throws `invalid_request` naming the field, its value and what was expected. */
export function assertGenerationRequest(request: GenerationRequest): void {
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

/** Throws `invalid_request` for a size that the model cannot paint. */
export function assertSize({ sizeMultiple }: ModelFolder, size: { width: number; height: number }): void {
  for (const field of ['width', 'height'] as const) {
    const isMultiple = Number.isInteger(size[field]) && size[field] > 0 && size[field] % sizeMultiple === 0;
    assertField(field, size[field], isMultiple, `a multiple of ${sizeMultiple}`);
  }
}

/** Throws `invalid_request` for pixels that do not fill the picture's size or a number of channels that none has. */
export function assertSourceImage(field: 'image' | 'mask', image: SourceImage): void {
  const { width, height, channels, data } = image;
  if ([1, 3, 4].includes(channels) && data.length === width * height * channels) return;
  throw new DiffusionError(
    'invalid_request',
    `${field} has ${data.length} bytes for ${width} x ${height} pixels of ${channels} channels; expected width x height x channels bytes and 1, 3 or 4 channels.`,
  );
}

/** Throws `invalid_request` unless 0 < strength <= 1. */
export function assertStrength(strength: number): void {
  assertField('strength', strength, strength > 0 && strength <= 1, 'a number above 0 and at most 1');
}

/** Throws `invalid_request` for values out of range, `unsupported` when no refiner is loaded. */
export function assertRefinerRequest(
  { refiner }: StableDiffusionXlModel,
  { highNoiseFraction, strength }: RefinerRequest,
): void {
  if (!refiner) {
    throw new DiffusionError('unsupported', 'The model was loaded without a refiner, and one is asked for.');
  }
  const isFraction = highNoiseFraction === null || (highNoiseFraction > 0 && highNoiseFraction < 1);
  assertField('high_noise_frac', highNoiseFraction, isFraction, 'null or a number between 0 and 1');
  assertStrength(strength);
}

/** Throws `invalid_request` naming the field, its value and what was expected, unless the value is valid. */
export function assertField(field: string, value: unknown, isValid: boolean, expected: string): void {
  if (isValid) return;
  throw new DiffusionError('invalid_request', `${field} is ${JSON.stringify(value)}; expected ${expected}.`);
}
