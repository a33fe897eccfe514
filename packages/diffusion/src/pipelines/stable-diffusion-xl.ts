/** SDXL as an app sees it: load a folder, turn prompts into pictures, free the memory. */

import { DiffusionError } from '../errors.ts';
import type { ModelFolder } from '../model-folder.ts';
import { SCHEDULER_NAMES, type SchedulerName } from '../schedulers/registry.ts';
import type { PredictionType } from '../schedulers/scheduler-config.ts';
import { type LoadOptions, loadStableDiffusionXlModel } from './stable-diffusion-xl-model.ts';
import { generateTextToImage, type TextToImageRequest, type TextToImageResult } from './text-to-image.ts';

/** What the model folder says, for model cards and for checks before a request is queued. */
export interface StableDiffusionXlConfig {
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
  readonly numTrainTimesteps: number;
  /** Whether a null negative prompt means zeros instead of the encoding of "". */
  readonly forceZerosForEmptyPrompt: boolean;
  /** Tokens of a prompt that count, BOS and EOS included; the rest is cut off. */
  readonly maxPromptTokens: number;
}

/** A loaded model. Calls may overlap, but they share the threads, so nothing is gained by it. */
export interface StableDiffusionXl {
  readonly config: StableDiffusionXlConfig;
  /**
   * Paints one picture per seed; each is the same, byte for byte, whether asked for alone or with others.
   * Throws DiffusionError: `invalid_request`, `unsupported`, `aborted` (within one step of the signal), `out_of_memory`,
   * `inference_failed`, `disposed`.
   */
  textToImage(request: TextToImageRequest): Promise<TextToImageResult>;
  /** Stops running calls at their next step, waits for them (so not to be awaited inside onProgress), and frees the sessions. */
  dispose(): Promise<void>;
}

/** Loads a model. Throws DiffusionError: `model_folder_invalid`, `unsupported`, `execution_provider_unavailable`, `out_of_memory`. */
export async function loadStableDiffusionXl(options: LoadOptions): Promise<StableDiffusionXl> {
  const model = await loadStableDiffusionXlModel(options);
  const disposal = new AbortController();
  const running = new Set<Promise<unknown>>();

  async function textToImage(request: TextToImageRequest): Promise<TextToImageResult> {
    const signals = request.signal ? [disposal.signal, request.signal] : [disposal.signal];
    const run = generateTextToImage(model, request, AbortSignal.any(signals));
    running.add(run);
    try {
      return await run;
    } finally {
      running.delete(run);
    }
  }

  return {
    config: describeConfig(model.folder, model.towers[0].tokenizer.modelMaxLength),
    textToImage,
    async dispose() {
      if (disposal.signal.aborted) return;
      disposal.abort(new DiffusionError('disposed', 'The model was disposed and cannot be used any more.'));
      await Promise.allSettled(running);
      await model.release();
    },
  };
}

function describeConfig(folder: ModelFolder, maxPromptTokens: number): StableDiffusionXlConfig {
  return {
    vaeScaleFactor: folder.vaeScaleFactor,
    latentChannels: folder.latentChannels,
    sizeMultiple: folder.sizeMultiple,
    nativeSize: folder.nativeSize,
    defaultScheduler: folder.defaultScheduler,
    schedulers: SCHEDULER_NAMES,
    predictionType: folder.schedulerConfig.predictionType,
    numTrainTimesteps: folder.schedulerConfig.numTrainTimesteps,
    forceZerosForEmptyPrompt: folder.forceZerosForEmptyPrompt,
    maxPromptTokens,
  };
}
