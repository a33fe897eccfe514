/** Pictures on `@firepod/diffusion`: SDXL on ONNX Runtime, behind the onnx engine. */
import { DEFAULTS, type ModelCard, type ResolvedImageRequest, seedOfImage } from '@firepod/contract';
import {
  type GenerationRequest,
  type GenerationResult,
  previewRgb,
  type RefinerRequest,
  type StableDiffusionXl,
} from '@firepod/diffusion';
import { WorkerError } from '../errors.ts';
import type { EngineSources, GeneratedFrames, GenerateOptions, SourcePicture } from './engine.ts';
import { generationErrorOf } from './onnx-errors.ts';
import { createProgressMap, frameOf, timingsOf, truncationWarnings } from './onnx-progress.ts';

/** Makes the pictures of one request, whatever its task. */
export async function generateImages(
  model: StableDiffusionXl,
  card: ModelCard,
  request: ResolvedImageRequest,
  { signal, onProgress, sources }: GenerateOptions,
): Promise<GeneratedFrames> {
  const { preview } = card;
  const seeds = Array.from({ length: request.num_images }, (_, index) => seedOfImage(request.seed, index));
  const toProgress = createProgressMap(
    preview &&
      ((latents, [, channels, height, width]) => previewRgb(latents, channels!, height!, width!, preview)),
  );
  try {
    const { images, timings, truncatedTokens } = await paint(model, request, sources, {
      prompt: request.prompt,
      negativePrompt: request.negative_prompt,
      numInferenceSteps: request.num_inference_steps,
      guidanceScale: request.guidance_scale,
      scheduler: request.scheduler,
      seeds,
      signal,
      onProgress: (progress) => onProgress(toProgress(progress)),
    });
    return {
      frames: images.map(frameOf),
      seeds,
      timings: timingsOf(timings),
      warnings: truncationWarnings(truncatedTokens, card, model.config),
    };
  } catch (error) {
    signal.throwIfAborted();
    throw generationErrorOf(error);
  }
}

/** Hands the request to the pipeline of its task. */
async function paint(
  model: StableDiffusionXl,
  request: ResolvedImageRequest,
  sources: EngineSources | undefined,
  common: GenerationRequest,
): Promise<GenerationResult> {
  const { width, height } = request;
  const refiner = model.config.hasRefiner ? refinerOf(request) : undefined;
  switch (request.task_type) {
    case 'text2img':
      return model.textToImage({ ...common, width, height, refiner });
    case 'img2img': {
      const image = sourceOf(request, 'image', sources?.image);
      return model.imageToImage({ ...common, image, strength: request.strength, refiner });
    }
    case 'inpaint': {
      const image = sourceOf(request, 'image', sources?.image);
      const mask = sourceOf(request, 'mask', sources?.mask);
      // Without the refiner: it would paint again what the mask protects.
      return model.inpaint({ ...common, image, mask, strength: request.strength });
    }
  }
}

function refinerOf(request: ResolvedImageRequest): RefinerRequest {
  return {
    numInferenceSteps: request.refiner_inference_steps ?? DEFAULTS.refiner_inference_steps,
    highNoiseFraction: request.high_noise_frac ?? null,
    strength: DEFAULTS.refiner_strength,
  };
}

function sourceOf(
  { task_type, width, height }: ResolvedImageRequest,
  name: 'image' | 'mask',
  source: SourcePicture | undefined,
): SourcePicture {
  if (!source)
    throw new WorkerError('internal', `The engine got a ${task_type} request without its ${name}.`);
  if (source.width === width && source.height === height) return source;
  throw new WorkerError(
    'invalid_argument',
    `${name}_url: the picture has ${source.width} x ${source.height} pixels; expected ${width} x ${height}.`,
  );
}
