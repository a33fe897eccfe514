/** A job without cloud storage: its files go back in the output as data URLs, and no document knows of it. */
import { type JobInput, type JobOutput, mediaTypeOf, type Progress } from '@firepod/contract';
import type { Logger } from '@firepod/runpod/worker';
import { dataUrl } from '../encode/image.ts';
import { EngineCrashedError } from '../errors.ts';
import { generationData } from './generation-data.ts';
import { type Painting, type PaintOptions, paint } from './painting.ts';

/** What a direct job needs. */
export interface DirectJobOptions extends Pick<PaintOptions, 'engine' | 'sourceReader' | 'ffmpegPath'> {
  input: JobInput;
  /** Stands in for a `file_uid` that was not sent. */
  jobId: string;
  /** For a request that left it open. */
  seed: number;
  attemptsMax: number;
  signal: AbortSignal;
  onProgress: (progress: Progress) => void;
  logger: Logger;
}

/** @throws the signal's reason, WorkerError, or EngineCrashedError when the last attempt crashed too */
export async function runDirectJob(options: DirectJobOptions): Promise<JobOutput> {
  const { input, jobId } = options;
  const painting = await paintPatiently(options);
  const { results, thumbnails } = painting.encoded;
  return {
    status: 'completed',
    file_uid: input.fileUid ?? jobId,
    user_id: input.userId,
    media_type: mediaTypeOf(input.task),
    attempt: null,
    generation_data: generationData(painting, {
      results: results.map(dataUrl),
      thumbnails: thumbnails.map(dataUrl),
    }),
  };
}

/** An engine that crashes is started again; the attempts are counted here, because no document counts them. */
async function paintPatiently(options: DirectJobOptions): Promise<Painting> {
  const { attemptsMax, logger, onProgress } = options;
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await paint({ ...options, onProgress: (progress) => onProgress(progress) });
    } catch (error) {
      if (!(error instanceof EngineCrashedError) || attempt >= attemptsMax) throw error;
      logger.warn({ attempt }, `${error.message} Trying again.`);
    }
  }
}
