import { createRunpodClient, parseJobError } from '@firepod/runpod/client';
import { startLocalRunpod } from '@firepod/runpod/local';
import { settingsFrom, startWorker } from '@firepod/runpod/worker';
import { expect, it } from 'vitest';
import { createLargeResultRefusal } from './large-result.ts';

it.each([
  ['image', 'pictures as data URLs', 'for fewer or smaller pictures, or for output_format jpeg or webp'],
  ['video', 'video as a data URL', 'for fewer frames or a smaller size'],
])(
  'a direct job whose %ss RunPod cannot carry fails with what to ask for instead',
  async (media_type, files, advice) => {
    const runpod = await startLocalRunpod({ endpointId: 'local', apiKey: 'test-key' });
    const worker = startWorker({
      settings: settingsFrom(runpod.workerEnvironment()),
      handler: async () => ({ media_type, generation_data: { image_urls: ['x'.repeat(20_000_000)] } }),
      offloadResult: createLargeResultRefusal({ hasStorage: true }),
    });
    const client = createRunpodClient({ baseUrl: runpod.baseUrl, endpointId: 'local', apiKey: 'test-key' });
    const job = await client.runSync({});
    expect(job.status).toBe('FAILED');
    expect(parseJobError(job.error)).toMatchObject({
      code: 'invalid_argument',
      message: `The result is 20.1 MB with its ${files}, and RunPod carries 20 MB: ask with use_cloud_storage: true, ${advice}.`,
      retryable: false,
    });
    await worker.shutdown();
    await runpod.close();
  },
);
