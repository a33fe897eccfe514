/** From a valid request to encoded pictures: the part of a job that is the same wherever its results go. */
import type { JobInput, Progress, ResolvedImageRequest } from '@firepod/contract';
import type { Logger } from '@firepod/runpod/worker';
import { abortable } from '../abortable.ts';
import { encodePreview } from '../encode/image.ts';
import type { Engine, EngineDescription, Frame, GeneratedFrames } from '../engines/engine.ts';
import { describeThrown } from '../errors.ts';
import { type EncodedImages, encodeFrames } from './encoded-images.ts';
import { createProgressMeter } from './progress-meter.ts';
import { resolveForCard } from './resolved-request.ts';
import { vocabularyWarnings } from './vocabulary.ts';

/** Pictures that are encoded but not yet anywhere. */
export interface Painting {
  request: ResolvedImageRequest;
  description: EngineDescription;
  result: GeneratedFrames;
  encoded: EncodedImages;
  /** Unknown fields and unknown words. */
  warnings: string[];
}

/** What to paint and with what. */
export interface PaintOptions {
  engine: Engine;
  input: JobInput;
  /** For a request that left it open. */
  seed: number;
  signal: AbortSignal;
  /** `preview` is the data URL of a newer picture, or null. */
  onProgress: (progress: Progress, preview: string | null) => void;
  /** Called with the resolved request before any work is done for it; its failure is the painting's. */
  prepare?: (request: ResolvedImageRequest) => Promise<void>;
  logger: Logger;
}

/**
 * Resolves the request with the engine's card, paints it and encodes the pictures.
 * @throws the signal's reason, or WorkerError
 */
export async function paint(options: PaintOptions): Promise<Painting> {
  const { engine, input, seed, signal, onProgress, prepare, logger } = options;
  const meter = createProgressMeter();
  let latest = meter.begin('loading');
  const show = (progress: Progress) => {
    latest = progress;
    onProgress(progress, null);
  };
  const showPreview = async (frame: Frame) => {
    try {
      const url = await encodePreview(frame);
      if (url) onProgress(latest, url);
    } catch (error) {
      logger.warn({}, `A preview could not be encoded: ${describeThrown(error)}`);
    }
  };

  show(latest);
  const description = await abortable(engine.describe(), signal);
  const request = resolveForCard(input, description.card, seed);
  await prepare?.(request);
  const result = await engine.generate(request, {
    signal,
    onProgress({ preview, ...step }) {
      show(meter.step(step));
      if (preview) void showPreview(preview);
    },
  });
  show(meter.begin('uploading'));
  return {
    request,
    description,
    result,
    encoded: await encodeFrames(result, request, description),
    warnings: [...input.warnings, ...vocabularyWarnings(request.prompt, description.card)],
  };
}
