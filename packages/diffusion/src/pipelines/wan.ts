/** Wan 2.1 as an app sees it: load a folder, turn words into videos, free the memory. */

import { DiffusionError } from '../errors.ts';
import type { FlowSchedulerClass } from '../schedulers/flow-config.ts';
import { generateTextToVideo, type TextToVideoRequest, type VideoResult } from './text-to-video.ts';
import { loadWanModel, type WanLoadOptions } from './wan-model.ts';

/** What the model folder says, for model cards and for checks before a request is queued. */
export interface WanConfig {
  readonly tasks: readonly ['text2video'];
  readonly latentChannels: number;
  /** Pixels per latent cell along one side. */
  readonly vaeScaleFactor: number;
  /** Widths and heights must be multiples of this. */
  readonly sizeMultiple: number;
  /** Numbers of frames must be a multiple of this plus 1, and more than 1. */
  readonly frameStep: number;
  /** The diffusers class that the folder asks for; a request cannot choose another. */
  readonly scheduler: FlowSchedulerClass;
  /** The largest num_inference_steps. */
  readonly maxInferenceSteps: number;
  /** Tokens of a prompt that count, the end token included; the rest is cut off. */
  readonly maxPromptTokens: number;
}

/**
 * A loaded video model. Calls may overlap, but they share the threads, so nothing is gained by it. The same request gives the same
 * frames, byte for byte. textToVideo throws DiffusionError: `invalid_request`, `aborted` (within one run of the transformer after
 * the signal), `out_of_memory`, `inference_failed`, `disposed`.
 */
export interface Wan {
  readonly config: WanConfig;
  /** Makes one video from words. */
  textToVideo(request: TextToVideoRequest): Promise<VideoResult>;
  /** Stops running calls at their next run, waits for them (so not to be awaited inside onProgress), and frees the sessions. */
  dispose(): Promise<void>;
}

/** Loads a model. Throws DiffusionError: `model_folder_invalid`, `unsupported`, `execution_provider_unavailable`, `out_of_memory`. */
export async function loadWan(options: WanLoadOptions): Promise<Wan> {
  const model = await loadWanModel(options);
  const { folder, tokenizer } = model;
  const disposal = new AbortController();
  const running = new Set<Promise<unknown>>();

  return {
    config: {
      tasks: ['text2video'],
      latentChannels: folder.latentChannels,
      vaeScaleFactor: folder.spatialFactor,
      sizeMultiple: folder.sizeMultiple,
      frameStep: folder.temporalFactor,
      scheduler: folder.scheduler.schedulerClass,
      maxInferenceSteps: folder.scheduler.numTrainTimesteps,
      maxPromptTokens: tokenizer.modelMaxLength,
    },
    async textToVideo(request) {
      const signals = request.signal ? [disposal.signal, request.signal] : [disposal.signal];
      const run = generateTextToVideo(model, request, AbortSignal.any(signals));
      running.add(run);
      try {
        return await run;
      } finally {
        running.delete(run);
      }
    },
    async dispose() {
      if (disposal.signal.aborted) return;
      disposal.abort(new DiffusionError('disposed', 'The model was disposed and cannot be used any more.'));
      await Promise.allSettled(running);
      await model.release();
    },
  };
}
