/** What the whole worker adds to its engine: claim, progress, encoding, upload and the completed document. */
import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { cloneFolder, portPlan, startStack } from '@firepod/dev';
import { createRunpodClient } from '@firepod/runpod/client';
import { deleteApp, initializeApp } from 'firebase-admin/app';
import { getFirestore } from 'firebase-admin/firestore';

interface CompletedOutput {
  generation_data: { gpu_seconds: number };
}

/**
 * Milliseconds of each of `jobs` jobs from job-take to the completed document's own time, less the engine's own time: one
 * picture of the built-in model at its own size and steps, every process as in `npm start`. The submit's way to RunPod
 * counts too: one clock serves all, and the queue says how long after the submit the job was taken.
 */
export async function measureOverheadMs(jobs = 40): Promise<number[]> {
  const dataFolder = await mkdtemp(join(tmpdir(), 'firepod-bench-'));
  const stack = await startStack({
    dataFolder,
    ports: portPlan('any'),
    models: [join(cloneFolder, 'models/tiny-sdxl')],
  });
  const runpod = createRunpodClient({
    baseUrl: `http://${stack.host}:${stack.ports.runpod}/v2`,
    endpointId: stack.endpointId,
    apiKey: stack.runpodApiKey,
  });
  process.env['FIRESTORE_EMULATOR_HOST'] = `${stack.host}:${stack.ports.firestore}`;
  const app = initializeApp({ projectId: stack.projectId }, 'overhead');
  const overheadMs = async () => {
    const fileUid = randomUUID();
    const submittedAtMs = Date.now();
    const { status, delayTime, output, error } = await runpod.runSync<CompletedOutput>({
      prompt: 'a red apple on a blue background',
      user_id: 'bench',
      file_uid: fileUid,
      use_cloud_storage: true,
    });
    if (status !== 'COMPLETED' || output === undefined || delayTime === undefined) {
      throw new Error(`A job of the overhead's measuring ended ${status}: ${error ?? 'without output'}.`);
    }
    const document = await getFirestore(app).doc(`generations/bench/images/${fileUid}`).get();
    const completedAtMs = document.get('completed_at').toMillis();
    return completedAtMs - (submittedAtMs + delayTime) - output.generation_data.gpu_seconds * 1000;
  };
  try {
    for (let warmUp = 0; warmUp < 5; warmUp += 1) await overheadMs();
    const samples: number[] = [];
    while (samples.length < jobs) samples.push(await overheadMs());
    return samples;
  } finally {
    await deleteApp(app);
    await stack.close();
    await rm(dataFolder, { recursive: true, force: true });
  }
}
