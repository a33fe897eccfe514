/** One attempt at a held generation: paint, store, and complete the document; leave no file when it is not ours to end. */
import type { GenerationData, JobInput, Progress } from '@firepod/contract';
import type { Logger } from '@firepod/runpod/worker';
import { describeThrown } from '../errors.ts';
import { firestoreFaultOf } from '../generation/firestore-error.ts';
import type { HeldGeneration } from '../generation/held-generation.ts';
import type { MediaStore, StoredFile, WrittenObject } from '../storage/media-store.ts';
import { namedFiles, objectNames } from './encoded-media.ts';
import { generationData } from './generation-data.ts';
import { type Painting, type PaintOptions, paint } from './painting.ts';

/** The input of a job whose results go to the cloud. */
export type StoredJobInput = JobInput & { userId: string; fileUid: string };

/** What an attempt works with. */
export interface AttemptOptions extends Pick<PaintOptions, 'engine' | 'sourceReader' | 'ffmpegPath'> {
  held: HeldGeneration;
  mediaStore: MediaStore;
  input: StoredJobInput;
  /** For a request that left it open. */
  seed: number;
  /** The job's; the attempt also stops when the generation is lost. */
  signal: AbortSignal;
  onProgress: (progress: Progress) => void;
  logger: Logger;
}

/**
 * @returns what the document now holds, or null when somebody else ended the generation first
 * @throws whatever stopped it; nothing of it or of earlier attempts is left in the bucket then
 */
export async function runAttempt(options: AttemptOptions): Promise<GenerationData | null> {
  const { held, mediaStore, input, logger } = options;
  const signal = AbortSignal.any([options.signal, held.lost]);
  let names: string[] = [];
  let leftBehind: ReadonlyMap<string, string> = new Map();
  let data: GenerationData | null = null;
  try {
    const painting = await paint({
      ...options,
      signal,
      onProgress(progress, preview) {
        held.report(progress, preview);
        options.onProgress(progress);
      },
      async prepare(request) {
        names = objectNames(input.userId, input.fileUid, request);
        // What a dead attempt left may be overwritten, what a later one writes may not: so ownership is asked for
        // after this was read.
        leftBehind = await mediaStore.readGenerations(names, signal);
        if (!(await held.isStillOurs())) held.lost.throwIfAborted();
      },
    });
    const files = await mediaStore.store(namedFiles(painting.encoded, names), {
      generations: leftBehind,
      isStillOurs: held.isStillOurs,
      signal,
    });
    data = await complete(painting, files, options);
    return data;
  } finally {
    // Whoever comes next paints anew; if nobody comes, nothing may stay.
    if (data === null) await removeFiles(mediaStore, generationsAsFiles(leftBehind), logger);
  }
}

/** Writes the end, or takes the files away again. */
async function complete(
  painting: Painting,
  files: StoredFile[],
  { held, mediaStore, logger }: AttemptOptions,
): Promise<GenerationData | null> {
  const urls = files.map((file) => file.url);
  const count = painting.encoded.results.length;
  const data = generationData(painting, { results: urls.slice(0, count), thumbnails: urls.slice(count) });
  try {
    if ((await held.complete(data)) === 'written') return data;
  } catch (error) {
    if (firestoreFaultOf(error) === 'unavailable') {
      // Whether it was written is not known, so the files must stay: RunPod's webhook finishes from the output.
      logger.error({}, `The end could not be written, the output must do: ${describeThrown(error)}`);
      return data;
    }
    await removeFiles(mediaStore, files, logger);
    throw error;
  }
  await removeFiles(mediaStore, files, logger);
  return null;
}

function generationsAsFiles(generations: ReadonlyMap<string, string>): WrittenObject[] {
  return [...generations].map(([name, generation]) => ({ name, generation }));
}

async function removeFiles(mediaStore: MediaStore, files: WrittenObject[], logger: Logger): Promise<void> {
  try {
    await mediaStore.remove(files);
  } catch (error) {
    logger.error({ files: files.map((file) => file.name) }, `Files stay behind: ${describeThrown(error)}`);
  }
}
