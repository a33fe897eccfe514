/** From a valid request to encoded files: the part of a job that is the same wherever its results go. */
import type { JobInput, Progress, ResolvedRequest } from '@firepod/contract';
import type { Logger } from '@firepod/runpod/worker';
import { abortable } from '../abortable.ts';
import { encodePreview } from '../encode/image.ts';
import {
  descriptionFor,
  type Engine,
  type EngineDescription,
  type Frame,
  type GeneratedFrames,
} from '../engines/engine.ts';
import { describeThrown } from '../errors.ts';
import type { SourceReader } from '../sources/source-reader.ts';
import { decodeSources, notesOf, openSources, type SourceNotes, withSourceSize } from '../sources/sources.ts';
import { VERSION } from '../version.ts';
import { type EncodedMedia, encodeFrames } from './encoded-media.ts';
import { createProgressMeter } from './progress-meter.ts';
import { resolveForCard } from './resolved-request.ts';
import { vocabularyWarnings } from './vocabulary.ts';

/** Files that are encoded but not yet anywhere. */
export interface Painting {
  request: ResolvedRequest;
  description: EngineDescription;
  result: GeneratedFrames;
  encoded: EncodedMedia;
  /** What it was painted from; null for a task that starts from nothing. */
  sources: SourceNotes | null;
  /** Unknown fields, unknown words, and what the engine could not use. */
  warnings: string[];
}

/** What to paint and with what. */
export interface PaintOptions {
  engine: Engine;
  sourceReader: SourceReader;
  /** The ffmpeg that encodes videos; null: the one that the worker brings. */
  ffmpegPath: string | null;
  input: JobInput;
  /** For a request that left it open. */
  seed: number;
  signal: AbortSignal;
  /** `preview` is the data URL of a newer picture, or null. */
  onProgress: (progress: Progress, preview: string | null) => void;
  /** Called with the resolved request, when its sources are there; it runs while the engine does, and its failure ends both. */
  prepare?: (request: ResolvedRequest) => Promise<void>;
  logger: Logger;
}

/**
 * Resolves the request with the engine's card, reads its sources, paints it and encodes what came out.
 * @throws the signal's reason, or WorkerError
 */
export async function paint(options: PaintOptions): Promise<Painting> {
  const { engine, sourceReader, ffmpegPath, input, seed, signal, onProgress, prepare, logger } = options;
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
  const description = descriptionFor(await abortable(engine.describe(), signal), input.task);
  const { card, modelSha256 } = description;
  let request = resolveForCard(input, card, seed);
  const sources = await openSources(input, sourceReader, signal);
  if (sources) request = resolveForCard(withSourceSize(input, sources, card), card, seed);
  const pictures = sources ? await decodeSources(sources, request) : undefined;
  const preparing = new AbortController();
  const prepared = prepare?.(request).catch((error: unknown) => preparing.abort(error));
  let result: GeneratedFrames;
  try {
    result = await engine.generate(request, {
      signal: AbortSignal.any([signal, preparing.signal]),
      sources: pictures,
      onProgress({ preview, ...step }) {
        show(meter.step(step));
        if (preview) void showPreview(preview);
      },
    });
  } finally {
    await prepared;
  }
  preparing.signal.throwIfAborted();
  show(meter.begin('uploading'));
  const notes = sources && notesOf(sources);
  const source = {
    modelName: card.id,
    modelSha256,
    sourceSha256: notes?.image.sha256 ?? null,
    version: `Firepod ${VERSION}`,
  };
  return {
    request,
    description,
    result,
    encoded: await encodeFrames(result, request, { source, ffmpegPath, signal }),
    sources: notes,
    warnings: [...input.warnings, ...vocabularyWarnings(request.prompt, card), ...(result.warnings ?? [])],
  };
}
