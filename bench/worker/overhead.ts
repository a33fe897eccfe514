/** What the whole worker adds to its engine: claim, progress, encoding, upload and the completed document. */
import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { cloneFolder, portPlan, startStack } from '@firepod/dev';
import { createRunpodClient } from '@firepod/runpod/client';

interface CompletedOutput {
  generation_data: { gpu_seconds: number };
}

/**
 * Milliseconds of each of `jobs` jobs from job-take to the posted result, which follows the completed document, less the
 * engine's own time: one picture of the built-in model at its own size and steps, every process as in `npm start`.
 */
export async function measureOverheadMs(jobs = 40): Promise<number[]> {
  const dataFolder = await mkdtemp(join(tmpdir(), 'firepod-bench-'));
  const stack = await startStack({
    dataFolder,
    ports: portPlan('any'),
    modelFolders: [join(cloneFolder, 'models/tiny-sdxl')],
  });
  const runpod = createRunpodClient({
    baseUrl: `http://${stack.host}:${stack.ports.runpod}/v2`,
    endpointId: stack.endpointId,
    apiKey: stack.runpodApiKey,
  });
  const overheadMs = async () => {
    const { status, executionTime, output, error } = await runpod.runSync<CompletedOutput>({
      prompt: 'a red apple on a blue background',
      user_id: 'bench',
      file_uid: randomUUID(),
      use_cloud_storage: true,
    });
    if (status !== 'COMPLETED' || output === undefined || executionTime === undefined) {
      throw new Error(`A job of the overhead's measuring ended ${status}: ${error ?? 'without output'}.`);
    }
    return executionTime - output.generation_data.gpu_seconds * 1000;
  };
  try {
    for (let warmUp = 0; warmUp < 5; warmUp += 1) await overheadMs();
    const samples: number[] = [];
    while (samples.length < jobs) samples.push(await overheadMs());
    return samples;
  } finally {
    await stack.close();
    await rm(dataFolder, { recursive: true, force: true });
  }
}
