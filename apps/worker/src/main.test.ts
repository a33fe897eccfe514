import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { startLocalRunpod } from '@firepod/runpod/local';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { startHubServer } from '../../../packages/diffusion/fixtures/hub-server.ts';
import { startTestFirebase, type TestFirebase } from '../testing/firebase.ts';
import { newGeneration, submit } from '../testing/generations.ts';
import { readPngText } from './encode/png-text.ts';

const API_KEY = 'test-key';
const MODEL_FOLDER = fileURLToPath(new URL('../../../models/tiny-sdxl', import.meta.url));

// Whole programs start slowly on a busy machine.
describe('the worker as a program', { timeout: 60_000 }, () => {
  let firebase: TestFirebase;
  let runpod: Awaited<ReturnType<typeof startLocalRunpod>>;
  beforeAll(async () => {
    firebase = await startTestFirebase();
    runpod = await startLocalRunpod({ endpointId: 'local', apiKey: API_KEY });
  });
  afterAll(async () => {
    await runpod.close();
    await firebase.close();
  });

  const started: ChildProcess[] = [];
  afterEach(() => {
    for (const child of started.splice(0)) child.kill('SIGKILL');
  });

  function startProgram(environment: Record<string, string>) {
    const program = fileURLToPath(new URL('./main.ts', import.meta.url));
    const loader = createRequire(import.meta.url).resolve('tsx');
    const child = spawn(process.execPath, ['--import', loader, '--conditions=source', program], {
      env: { PATH: process.env['PATH'], ...environment },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    started.push(child);
    let output = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
    const exitCode = new Promise<number | null>((resolve) => child.once('close', resolve));
    return { child, exitCode, output: () => output };
  }

  function startWorkerProgram(overrides: Record<string, string> = {}) {
    return startProgram({
      ...firebase.environment,
      ...runpod.workerEnvironment(),
      FIREPOD_MODEL: MODEL_FOLDER,
      FIREPOD_ENGINE_THREADS: '1',
      ...overrides,
    });
  }

  async function post(path: string, body: unknown): Promise<Record<string, unknown>> {
    const response = await fetch(`${runpod.baseUrl}/local${path}`, {
      method: 'POST',
      headers: { authorization: `Bearer ${API_KEY}`, 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
    return (await response.json()) as Record<string, unknown>;
  }

  it('takes a job from RunPod and brings its picture to Storage and Firestore, and gives the next back when it is told to end', async () => {
    const worker = startWorkerProgram({ FIREPOD_SHUTDOWN_GRACE_SECONDS: '0' });
    const generation = newGeneration('first-picture', 'a red apple on a blue background, baroque');
    const document = await submit(firebase.firestore, generation);
    const job = await post('/runsync?wait=50000', { input: { ...generation.input, num_inference_steps: 4 } });
    expect(job).toMatchObject({ status: 'COMPLETED', output: { status: 'completed', attempt: 1 } });

    const data = (await document.get()).get('generation_data');
    expect(job['output']).toMatchObject({ generation_data: data });
    expect(data).toMatchObject({
      width: 128,
      height: 128,
      seed: 7,
      warnings: [expect.stringContaining('“baroque”')],
    });
    const png = Buffer.from(await (await fetch(data.image_urls[0])).arrayBuffer());
    expect(readPngText(png, 'parameters')).toMatch(
      /^a red apple on a blue background, baroque\nSteps: 4, Sampler: DDIM, CFG scale: 3, Seed: 7, Size: 128x128/,
    );

    const card = await firebase.firestore.doc('firepod_models/tiny-sdxl').get();
    expect(card.data()).toMatchObject({
      tasks: ['text2img', 'img2img', 'inpaint'],
      native_size: { width: 128, height: 128 },
    });

    await givesBackWhenToldToEnd(worker);
    const lines = worker
      .output()
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(lines).toContainEqual(
      expect.objectContaining({ requestId: job['id'], level: 'INFO', message: 'Finished.' }),
    );
  });

  /** With no grace: the job that it has then must not be lost. */
  async function givesBackWhenToldToEnd(worker: ReturnType<typeof startWorkerProgram>): Promise<void> {
    const generation = newGeneration('given-back');
    const document = await submit(firebase.firestore, generation);
    const { id } = await post('/run', {
      input: { ...generation.input, width: 256, height: 256, num_inference_steps: 100 },
    });
    await vi.waitFor(async () => expect((await document.get()).get('progress.step')).toBeGreaterThan(0), {
      timeout: 40_000,
      interval: 50,
    });
    worker.child.kill('SIGTERM');
    expect(await worker.exitCode).toBe(0);
    expect((await document.get()).get('status')).toBe('processing');
    const record = await firebase.firestore.doc('firepod_jobs/given-back').get();
    expect(record.get('lease_renewed_at')).toBeNull();
    const response = await fetch(`${runpod.baseUrl}/local/status/${id}`, {
      headers: { authorization: `Bearer ${API_KEY}` },
    });
    expect(await response.json()).toMatchObject({
      status: 'FAILED',
      error: expect.stringContaining('worker_shutdown'),
    });
  }

  it('takes its engine with it when it is killed', async () => {
    const worker = startWorkerProgram();
    const pid = await vi.waitFor(() => Number(/"enginePid":(\d+)/.exec(worker.output())![1]), {
      timeout: 40_000,
      interval: 50,
    });
    worker.child.kill('SIGKILL');
    await worker.exitCode;
    await vi.waitFor(() => expect(() => process.kill(pid, 0)).toThrow('ESRCH'), 10_000);
  });

  it('tells RunPod that it is unhealthy, and ends, when its account cannot store a result', async () => {
    const worker = startWorkerProgram({ FIREBASE_STORAGE_BUCKET: 'other-app.firebasestorage.app' });
    expect(await worker.exitCode).toBe(1);
    expect(worker.output()).toContain('There is no bucket other-app.firebasestorage.app');
    expect(worker.output()).not.toContain('The worker takes jobs');
    expect(await countUnhealthyWorkers()).toBe(1);
  });

  it('tells RunPod that it is unhealthy, and takes no job, when its model cannot be loaded', async () => {
    const before = await countUnhealthyWorkers();
    const worker = startWorkerProgram({ FIREPOD_MODEL: '/nowhere/at-all' });
    expect(await worker.exitCode).toBe(1);
    expect(worker.output()).toContain('/nowhere/at-all is not a diffusers model folder');
    expect(worker.output()).not.toContain('The worker takes jobs');
    expect(await countUnhealthyWorkers()).toBe(before + 1);
  });

  it('names a model that the hub does not have before it takes a job', async () => {
    const hub = await startHubServer();
    const weights = mkdtempSync(join(tmpdir(), 'firepod-weights-'));
    const before = await countUnhealthyWorkers();
    const worker = startWorkerProgram({
      FIREPOD_MODEL: 'hf:org/absent@v1',
      FIREPOD_WEIGHTS_FOLDER: weights,
      HF_ENDPOINT: hub.endpoint,
      HF_TOKEN: 'hf_t0ken',
    });
    expect(await worker.exitCode).toBe(1);
    expect(worker.output()).toContain('FIREPOD_MODEL hf:org/absent@v1: org/absent@v1 cannot be read');
    expect(worker.output()).not.toMatch(/The worker takes jobs|t0ken/);
    expect(hub.requests[0]).toMatchObject({ authorization: 'Bearer hf_t0ken' });
    expect(await countUnhealthyWorkers()).toBe(before + 1);
    await hub.close();
    rmSync(weights, { recursive: true });
  });

  async function countUnhealthyWorkers(): Promise<number> {
    const health = await fetch(`${runpod.baseUrl}/local/health`, {
      headers: { authorization: `Bearer ${API_KEY}` },
    });
    return ((await health.json()) as { workers: { unhealthy: number } }).workers.unhealthy;
  }
});
