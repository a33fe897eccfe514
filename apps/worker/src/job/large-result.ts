/** What a job is told whose pictures or video do not fit into RunPod's result. */
import type { JobOutput } from '@firepod/contract';
import { JobError, type OffloadResult } from '@firepod/runpod/worker';

/**
 * Refuses: who asked for data URLs has no place in Storage to which their pictures could go, and the same request would
 * be too large again. Only direct jobs come here, because stored ones carry URLs.
 *
 * @param options.hasStorage whether this worker could have stored them, had it been asked to
 */
export function createLargeResultRefusal({ hasStorage }: { hasStorage: boolean }): OffloadResult {
  return async (_, { output, sizeBytes, maxBytes }) => {
    const size = (Math.ceil(sizeBytes / 100_000) / 10).toFixed(1);
    const isVideo = (output as Partial<JobOutput> | null)?.media_type === 'video';
    const files = isVideo ? 'video as a data URL' : 'pictures as data URLs';
    const less = isVideo
      ? 'for fewer frames or a smaller size'
      : 'for fewer or smaller pictures, or for output_format jpeg or webp';
    const advice = `${hasStorage ? 'ask with use_cloud_storage: true, ' : 'ask '}${less}`;
    const message = `The result is ${size} MB with its ${files}, and RunPod carries ${maxBytes / 1_000_000} MB: ${advice}.`;
    throw new JobError(message, { code: 'invalid_argument' });
  };
}
