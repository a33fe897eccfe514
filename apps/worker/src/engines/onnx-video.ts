/** Videos on `@firepod/diffusion`: Wan on ONNX Runtime, behind the onnx engine. */
import type { ModelCard, ResolvedVideoRequest } from '@firepod/contract';
import { previewVideoRgb, type Wan } from '@firepod/diffusion';
import type { GeneratedFrames, GenerateOptions } from './engine.ts';
import { generationErrorOf } from './onnx-errors.ts';
import { createProgressMap, frameOf, timingsOf, truncationWarnings } from './onnx-progress.ts';

/** Makes the frames of one video; at what rate they are shown, the request's `fps` says. */
export async function generateVideo(
  model: Wan,
  card: ModelCard,
  request: ResolvedVideoRequest,
  { signal, onProgress }: GenerateOptions,
): Promise<GeneratedFrames> {
  const { preview } = card;
  const toProgress = createProgressMap(
    preview && ((latents, shape) => previewVideoRgb(latents, shape, preview)),
  );
  try {
    const { frames, seed, timings, truncatedTokens } = await model.textToVideo({
      prompt: request.prompt,
      negativePrompt: request.negative_prompt,
      width: request.video_width,
      height: request.video_height,
      numFrames: request.num_frames,
      numInferenceSteps: request.num_inference_steps,
      guidanceScale: request.video_guidance_scale,
      seed: request.seed,
      signal,
      onProgress: (progress) => onProgress(toProgress(progress)),
    });
    return {
      frames: frames.map(frameOf),
      seeds: [seed],
      timings: timingsOf(timings),
      warnings: truncationWarnings(truncatedTokens, card, model.config),
    };
  } catch (error) {
    signal.throwIfAborted();
    throw generationErrorOf(error);
  }
}
