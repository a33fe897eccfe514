/** The engine on `@firepod/diffusion`: SDXL on ONNX Runtime, from a folder in the diffusers ONNX layout. */
import { access } from 'node:fs/promises';
import { join } from 'node:path';
import {
  DEFAULTS,
  ERROR_CODES,
  type ModelCard,
  type ResolvedImageRequest,
  seedOfImage,
} from '@firepod/contract';
import {
  DiffusionError,
  type GenerationProgress,
  type GenerationRequest,
  type GenerationResult,
  loadStableDiffusionXl,
  ONNX_RUNTIME_VERSION,
  previewRgb,
  type RefinerRequest,
  type RgbImage,
  type StableDiffusionXl,
} from '@firepod/diffusion';
import { WorkerError } from '../errors.ts';
import { VERSION } from '../version.ts';
import type {
  Engine,
  EngineProgress,
  EngineSources,
  Frame,
  GenerateOptions,
  OnnxSettings,
  SourcePicture,
} from './engine.ts';
import { modelDigest } from './model-digest.ts';
import { readOnnxCard } from './onnx-card.ts';

/** More often than this nobody looks at a preview. */
const PREVIEW_INTERVAL_MS = 400;

const PHASES = { encode: 'encoding', denoise: 'denoising', decode: 'decoding' } as const;

/** Loads the model, with the refiner in its subfolder `refiner/` if it has one. @throws WorkerError `model_not_available` with the reason as its cause */
export async function createOnnxEngine(settings: OnnxSettings): Promise<Engine> {
  const { model: folder, executionProvider, threads } = settings;
  const options = {
    folder,
    ...(await refinerOption(folder)),
    executionProviders: [executionProvider],
    threads: threads ?? 0,
  };
  const model = await loadStableDiffusionXl(options).catch((error) => {
    throw loadErrorOf(error);
  });
  const card = await readOnnxCard(folder, model.config);
  const description = {
    card,
    modelSha256: await modelDigest(folder),
    // Another release of the runtime may round differently, so that it belongs to a picture's recipe.
    engine: { name: 'onnx', version: `${VERSION}+onnxruntime.${ONNX_RUNTIME_VERSION}` },
  };
  return {
    describe: async () => description,
    generate: async (request, options) => {
      if (request.task_type === 'text2video') {
        throw new WorkerError(
          'model_not_available',
          `task_type: ${request.task_type} cannot be made by the onnx engine; expected ${model.config.tasks.join(', ')}.`,
        );
      }
      return generateImages(model, card, request, options);
    },
    close: () => model.dispose(),
  };
}

async function refinerOption(folder: string): Promise<{ refinerFolder?: string }> {
  const refinerFolder = join(folder, 'refiner');
  const isThere = await access(join(refinerFolder, 'model_index.json')).then(
    () => true,
    () => false,
  );
  return isThere ? { refinerFolder } : {};
}

async function generateImages(
  model: StableDiffusionXl,
  card: ModelCard,
  request: ResolvedImageRequest,
  { signal, onProgress, sources }: GenerateOptions,
) {
  const seeds = Array.from({ length: request.num_images }, (_, index) => seedOfImage(request.seed, index));
  const toProgress = createProgressMap(card);
  try {
    const { images, timings } = await paint(model, request, sources, {
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
      timings: {
        encoding: timings.encode / 1000,
        denoising: timings.denoise / 1000,
        decoding: timings.decode / 1000,
        total: timings.total / 1000,
      },
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

/** The engine's progress, with a preview now and then. */
function createProgressMap(card: ModelCard): (progress: GenerationProgress) => EngineProgress {
  let previewedAtMs = Number.NEGATIVE_INFINITY;
  return ({ phase, step, steps, latents, latentsShape }) => {
    const progress: EngineProgress = { phase: PHASES[phase], step, steps };
    const [, channels, height, width] = latentsShape ?? [];
    if (!card.preview || !latents || !channels || !height || !width) return progress;
    if (performance.now() - previewedAtMs < PREVIEW_INTERVAL_MS) return progress;
    previewedAtMs = performance.now();
    return { ...progress, preview: frameOf(previewRgb(latents, channels, height, width, card.preview)) };
  };
}

function frameOf({ data, width, height }: RgbImage): Frame {
  return { rgb: data, widthPx: width, heightPx: height };
}

function loadErrorOf(cause: unknown): WorkerError {
  const isMemory = cause instanceof DiffusionError && cause.code === 'out_of_memory';
  const code = isMemory ? 'out_of_memory' : 'model_not_available';
  return new WorkerError(code, ERROR_CODES[code].sentence, { cause });
}

function generationErrorOf(cause: unknown): WorkerError {
  if (cause instanceof WorkerError) return cause;
  if (cause instanceof DiffusionError) {
    // These two name a field, its value and what was expected; the others may name files.
    if (cause.code === 'invalid_request' || cause.code === 'unsupported') {
      return new WorkerError('invalid_argument', cause.message, { cause });
    }
    if (cause.code === 'out_of_memory') {
      return new WorkerError('out_of_memory', ERROR_CODES.out_of_memory.sentence, { cause });
    }
  }
  return new WorkerError('internal', ERROR_CODES.internal.sentence, { cause });
}
