/** SDXL as an app sees it: load a folder, turn prompts and pictures into pictures, free the memory. */

import { DiffusionError } from '../errors.ts';
import type { ImageTask } from '../model-folder.ts';
import { maxInferenceSteps, SCHEDULER_NAMES, type SchedulerName } from '../schedulers/registry.ts';
import type { PredictionType } from '../schedulers/scheduler-config.ts';
import { generateImageToImage, type ImageToImageRequest } from './image-to-image.ts';
import { generateInpaint, type InpaintRequest } from './inpaint.ts';
import type { GenerationRequest, GenerationResult } from './request.ts';
import {
  type LoadOptions,
  loadStableDiffusionXlModel,
  type StableDiffusionXlModel,
} from './stable-diffusion-xl-model.ts';
import { generateTextToImage, type TextToImageRequest } from './text-to-image.ts';

/** What the model folder says, for model cards and for checks before a request is queued. */
export interface StableDiffusionXlConfig {
  /** What the folder's graphs are enough for. */
  readonly tasks: readonly ImageTask[];
  /** Whether a refiner was loaded beside it. */
  readonly hasRefiner: boolean;
  /** Pixels per latent cell along one side. */
  readonly vaeScaleFactor: number;
  readonly latentChannels: number;
  /** Widths and heights must be multiples of this. */
  readonly sizeMultiple: number;
  /** The side in pixels that the model was trained on; null when the folder does not say. */
  readonly nativeSize: number | null;
  /** The scheduler that the folder asks for; null when this package does not have it. */
  readonly defaultScheduler: SchedulerName | null;
  readonly schedulers: readonly SchedulerName[];
  readonly predictionType: PredictionType;
  /** The largest num_inference_steps. */
  readonly maxInferenceSteps: number;
  /** Whether a null negative prompt means zeros instead of the encoding of "". */
  readonly forceZerosForEmptyPrompt: boolean;
  /** Tokens of a prompt that count, BOS and EOS included; the rest is cut off. */
  readonly maxPromptTokens: number;
}

/**
 * A loaded model. Calls may overlap, but they share the threads, so nothing is gained by it. Each picture is the same, byte for
 * byte, whether its seed is asked for alone or with others. All tasks throw DiffusionError: `invalid_request`, `unsupported`,
 * `aborted` (within one step of the signal), `out_of_memory`, `inference_failed`, `disposed`.
 */
export interface StableDiffusionXl {
  readonly config: StableDiffusionXlConfig;
  /** Paints one picture per seed from words. */
  textToImage(request: TextToImageRequest): Promise<GenerationResult>;
  /** Paints a picture again, as much as `strength` says. */
  imageToImage(request: ImageToImageRequest): Promise<GenerationResult>;
  /** Paints the masked part of a picture again. */
  inpaint(request: InpaintRequest): Promise<GenerationResult>;
  /** Stops running calls at their next step, waits for them (so not to be awaited inside onProgress), and frees the sessions. */
  dispose(): Promise<void>;
}

/** Loads a model. Throws DiffusionError: `model_folder_invalid`, `unsupported`, `execution_provider_unavailable`, `out_of_memory`. */
export async function loadStableDiffusionXl(options: LoadOptions): Promise<StableDiffusionXl> {
  const model = await loadStableDiffusionXlModel(options);
  const disposal = new AbortController();
  const running = new Set<Promise<unknown>>();

  function createMethod<Request extends GenerationRequest>(
    generate: (
      model: StableDiffusionXlModel,
      request: Request,
      signal: AbortSignal,
    ) => Promise<GenerationResult>,
  ) {
    return async (request: Request): Promise<GenerationResult> => {
      const signals = request.signal ? [disposal.signal, request.signal] : [disposal.signal];
      const run = generate(model, request, AbortSignal.any(signals));
      running.add(run);
      try {
        return await run;
      } finally {
        running.delete(run);
      }
    };
  }

  return {
    config: describeConfig(model),
    textToImage: createMethod(generateTextToImage),
    imageToImage: createMethod(generateImageToImage),
    inpaint: createMethod(generateInpaint),
    async dispose() {
      if (disposal.signal.aborted) return;
      disposal.abort(new DiffusionError('disposed', 'The model was disposed and cannot be used any more.'));
      await Promise.allSettled(running);
      await model.release();
    },
  };
}

function describeConfig({ folder, towers, refiner }: StableDiffusionXlModel): StableDiffusionXlConfig {
  return {
    tasks: folder.tasks,
    hasRefiner: refiner !== undefined,
    vaeScaleFactor: folder.vaeScaleFactor,
    latentChannels: folder.latentChannels,
    sizeMultiple: folder.sizeMultiple,
    nativeSize: folder.nativeSize,
    defaultScheduler: folder.defaultScheduler,
    schedulers: SCHEDULER_NAMES,
    predictionType: folder.schedulerConfig.predictionType,
    maxInferenceSteps: maxInferenceSteps(folder.schedulerConfig),
    forceZerosForEmptyPrompt: folder.forceZerosForEmptyPrompt,
    maxPromptTokens: towers[0]!.tokenizer.modelMaxLength,
  };
}
