/** The pipelines' progress, results and pictures in the engine's terms. */
import type { ModelCard } from '@firepod/contract';
import type { GenerationResult, RgbImage, TruncatedTokens } from '@firepod/diffusion';
import type { EngineProgress, Frame, GeneratedFrames } from './engine.ts';

/** More often than this nobody looks at a preview. */
const PREVIEW_INTERVAL_MS = 400;

const PHASES = { encode: 'encoding', denoise: 'denoising', decode: 'decoding' } as const;

/** What the pipelines for pictures and for videos both report. */
interface PipelineProgress {
  readonly phase: keyof typeof PHASES;
  readonly step: number;
  readonly steps: number;
  readonly latents?: Float32Array;
  readonly latentsShape?: readonly number[];
}

/** Maps a pipeline's progress to the engine's, with a preview now and then where `preview` makes one of latents and their shape. */
export function createProgressMap(
  preview: ((latents: Float32Array, shape: readonly number[]) => RgbImage) | undefined,
): (progress: PipelineProgress) => EngineProgress {
  let previewedAtMs = Number.NEGATIVE_INFINITY;
  return ({ phase, step, steps, latents, latentsShape }) => {
    const progress: EngineProgress = { phase: PHASES[phase], step, steps };
    if (!preview || !latents || !latentsShape) return progress;
    if (performance.now() - previewedAtMs < PREVIEW_INTERVAL_MS) return progress;
    previewedAtMs = performance.now();
    return { ...progress, preview: frameOf(preview(latents, latentsShape)) };
  };
}

/** A picture as engines hand it on. */
export function frameOf({ data, width, height }: RgbImage): Frame {
  return { rgb: data, widthPx: width, heightPx: height };
}

/** The pipelines' milliseconds as the engine's seconds. */
export function timingsOf(timings: GenerationResult['timings']): GeneratedFrames['timings'] {
  return {
    encoding: timings.encode / 1000,
    denoising: timings.denoise / 1000,
    decoding: timings.decode / 1000,
    total: timings.total / 1000,
  };
}

/** Sentences on prompts that are longer than what the model reads. */
export function truncationWarnings(
  truncated: TruncatedTokens,
  { name }: ModelCard,
  { maxPromptTokens }: { maxPromptTokens: number },
): string[] {
  const fields = [
    ['prompt', truncated.prompt],
    ['negative_prompt', truncated.negativePrompt],
  ] as const;
  return fields
    .filter(([, tokens]) => tokens > 0)
    .map(
      ([field, tokens]) =>
        `${field}: ${name} reads no more than ${maxPromptTokens} tokens; ${tokens} at the end were left out.`,
    );
}
