import { spawn } from 'node:child_process';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { fileURLToPath } from 'node:url';
import { startLocalRunpod } from '@firepod/runpod/local';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { createSdServerModels, type SdServerModels } from '../testing/sd-server-models.ts';

const API_KEY = 'test-key';

let models: SdServerModels;
let runpod: Awaited<ReturnType<typeof startLocalRunpod>>;
beforeAll(async () => {
  models = await createSdServerModels();
  runpod = await startLocalRunpod({ endpointId: 'local', apiKey: API_KEY });
});
afterAll(async () => {
  await runpod.close();
  await models.close();
});

async function run(input: object): Promise<Record<string, unknown>> {
  const response = await fetch(`${runpod.baseUrl}/local/runsync?wait=50000`, {
    method: 'POST',
    headers: { authorization: `Bearer ${API_KEY}`, 'content-type': 'application/json' },
    body: JSON.stringify({ input }),
  });
  return (await response.json()) as Record<string, unknown>;
}

function dataOf(job: Record<string, unknown>): unknown {
  return (job['output'] as Record<string, unknown> | undefined)?.['generation_data'];
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

test('a worker with FIREPOD_ENGINE=sd-server and two models makes pictures and videos, and takes its servers along when it ends', async () => {
  models.add('pictures', 'image');
  models.add('videos', 'video');
  const { manifestsFolder, weightsFolder, program } = models.settings();
  const main = fileURLToPath(new URL('./main.ts', import.meta.url));
  const loader = createRequire(import.meta.url).resolve('tsx');
  const worker = spawn(process.execPath, ['--import', loader, '--conditions=source', main], {
    env: {
      PATH: process.env['PATH'],
      TMPDIR: tmpdir(),
      ...runpod.workerEnvironment(),
      FIREPOD_FIREBASE: 'none',
      FIREPOD_ENGINE: 'sd-server',
      FIREPOD_MODEL: 'pictures,videos',
      FIREPOD_MANIFESTS_FOLDER: manifestsFolder,
      FIREPOD_WEIGHTS_FOLDER: weightsFolder,
      FIREPOD_SD_SERVER: program,
    },
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const exitCode = new Promise<number | null>((resolve) => worker.once('close', resolve));
  try {
    const picture = await run({ prompt: 'a fox', seed: 3, num_inference_steps: 3 });
    expect(picture).toMatchObject({ status: 'COMPLETED' });
    expect(dataOf(picture)).toMatchObject({
      image_urls: [expect.stringMatching(/^data:image\/png;base64,/)],
      seed: 3,
      width: 64,
      height: 64,
    });
    const video = await run({ prompt: 'a fox runs', task_type: 'text2video', num_frames: 5, fps: 8 });
    expect(video).toMatchObject({ status: 'COMPLETED' });
    expect(dataOf(video)).toMatchObject({
      video_url: expect.stringMatching(/^data:video\/mp4;base64,/),
      num_frames: 5,
      fps: 8,
    });
    expect(models.jobsOf('pictures')[0]).toMatchObject({
      seed: 3,
      sample_params: { sample_method: 'dpm++2m' },
    });
    expect(models.jobsOf('videos')[0]).toMatchObject({ video_frames: 5, fps: 8 });
    // The engine knows a scheduler that this model's card does not name: refused before any work.
    expect(await run({ prompt: 'a fox', scheduler: 'PNDM' })).toMatchObject({
      status: 'FAILED',
      error: expect.stringContaining('expected one of DPMSolverMultistep, K_EULER, KLMS'),
    });
    worker.kill('SIGTERM');
    expect(await exitCode).toBe(0);
  } finally {
    worker.kill('SIGKILL');
  }
  const pids = [...models.startsOf('pictures'), ...models.startsOf('videos')].map(({ pid }) => pid);
  await vi.waitFor(() => expect(pids.some(isRunning)).toBe(false), 20_000);
}, 120_000);
