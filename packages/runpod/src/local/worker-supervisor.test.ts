/** The supervisor with real worker processes: how many there are, and how each of them ends. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, expect, test } from 'vitest';
import {
  API_KEY,
  endOf,
  eventually,
  programFile,
  runningPid,
  startWorkerStand,
} from '../../testing/worker-stand.ts';
import { createRunpodClient, parseJobError } from '../client/index.ts';
import { systemClock } from '../clock.ts';
import { openJobJournal } from './job-journal.ts';

const closers: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});
const setUp = (...parameters: ParametersAfterClosers) => startWorkerStand(closers, ...parameters);
type ParametersAfterClosers =
  Parameters<typeof startWorkerStand> extends [unknown, ...infer Rest] ? Rest : never;

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

test('starts as many workers as jobs ask for, and stops idle ones down to the minimum', async () => {
  const { client, clock, gate, open } = await setUp({ minWorkers: 1, maxWorkers: 2, idleTimeoutMs: 300 });
  const jobs = Array.from({ length: 3 }, () => client.runSync<{ pid: number }>({ kind: 'gated', gate }));
  await eventually(async () => {
    expect(await client.health()).toMatchObject({
      jobs: { inProgress: 2, inQueue: 1 },
      workers: { running: 2, ready: 2 },
    });
  });
  await open();
  for (const job of await Promise.all(jobs)) expect(job.status).toBe('COMPLETED');
  clock.advance(200);
  expect((await client.health()).workers.ready).toBe(2);
  await eventually(async () => {
    clock.advance(200);
    expect((await client.health()).workers.ready).toBe(1);
  });
  clock.advance(10_000);
  expect((await client.health()).workers.ready).toBe(1);
});

test('starts no worker for a job of low priority alone, which the next worker that is there takes', async () => {
  const { client } = await setUp({ maxWorkers: 1 });
  const steps = { kind: 'steps', steps: 1, stepMs: 1 };
  const started = async () => {
    const { initializing, ready } = (await client.health()).workers;
    return initializing + ready;
  };
  const patient = await client.run(steps, { policy: { lowPriority: true } });
  expect(await started()).toBe(0);
  const urgent = await client.run(steps);
  expect(await started()).toBe(1);
  expect((await endOf(client, patient.id)).status).toBe('COMPLETED');
  expect((await endOf(client, urgent.id)).status).toBe('COMPLETED');
});

test('lets a running job finish when it is closed, and leaves no process', async () => {
  const { client, local, lines, gate, open } = await setUp();
  const { id } = await client.run({ kind: 'gated', gate });
  const pid = await runningPid(client, id);
  const closed = local.close();
  await eventually(() => expect(lines.join('\n')).toContain('Shutting down'));
  await open();
  await closed;
  expect(isAlive(pid)).toBe(false);
  expect(lines.join('\n')).toContain('"message":"Finished."');
});

test('replaces a worker that says that it is not fit, after the wait that a crash costs', async () => {
  const { client, local, clock, gate, open } = await setUp();
  const { id } = await client.run({ kind: 'gated', gate });
  const firstPid = await runningPid(client, id);
  const { workerId = '' } = await client.status(id);
  const query = 'status=unhealthy&check=vram&reason=fell%20out';
  await fetch(`${local.baseUrl}/local/ping/${workerId}?${query}`, { headers: { authorization: API_KEY } });
  expect(await client.status(id)).toMatchObject({ status: 'IN_QUEUE' });
  await eventually(() => expect(isAlive(firstPid)).toBe(false));
  expect((await client.health()).workers).toMatchObject({ ready: 0, initializing: 0, throttled: 1 });
  clock.advance(1_000);
  await runningPid(client, id, firstPid);
  await open();
  expect(await endOf(client, id)).toMatchObject({ status: 'COMPLETED', retries: 1 });
});

test('kills a worker that does not end in its time', async () => {
  const env = { PATH: process.env['PATH'] ?? '', SHUTDOWN_DEADLINE_MS: '60000' };
  const { client, local } = await setUp({ env }, { clock: systemClock, timings: { killWorkerAfterMs: 200 } });
  const { id } = await client.run({ kind: 'stubborn', durationMs: 60_000 });
  const pid = await runningPid(client, id);
  await local.close();
  expect(isAlive(pid)).toBe(false);
});

test('shows the retryable error that a worker posts when its deadline at shutdown is shorter than its job', async () => {
  const { client } = await setUp({ env: { PATH: process.env['PATH'] ?? '', SHUTDOWN_DEADLINE_MS: '100' } });
  const { id } = await client.run({ kind: 'steps', steps: 1_000, stepMs: 50 });
  process.kill(await runningPid(client, id), 'SIGTERM');
  const ended = await endOf(client, id);
  expect(ended.status).toBe('FAILED');
  expect(parseJobError(ended.error)).toMatchObject({ code: 'worker_shutdown', retryable: true });
});

test('keeps in its journal the job that a worker gives up only because all of it ends', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'firepod-journal-'));
  closers.push(() => rm(folder, { recursive: true, force: true }));
  const journalFile = join(folder, 'jobs.jsonl');
  const { client, local } = await setUp(
    { env: { PATH: process.env['PATH'] ?? '', SHUTDOWN_DEADLINE_MS: '0' } },
    { journalFile },
  );
  const { id } = await client.run({ kind: 'steps', steps: 1_000, stepMs: 50 });
  await runningPid(client, id);
  await local.close();
  const journal = openJobJournal(journalFile);
  journal.close();
  expect(journal.unended).toMatchObject([{ id, input: { kind: 'steps', steps: 1_000 } }]);
});

test('lets go of the polls of a worker that looks at its shutdown flag only between them', async () => {
  const program = fileURLToPath(new URL('./fixtures/between-polls-program.mjs', import.meta.url));
  const { client, local } = await setUp(
    { args: [program], minWorkers: 1 },
    { clock: systemClock, timings: { killWorkerAfterMs: 60_000 } },
  );
  await eventually(async () => expect((await client.health()).workers.ready).toBe(1));
  // Polls are held for 20 s and SIGKILL is a minute away: both would outlast this test.
  await local.close();
});

test('leaves no worker behind when it is killed itself', async () => {
  const child = spawn(process.execPath, [await programFile('local-program')], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  closers.push(async () => void child.kill('SIGKILL'));
  const [firstLine] = await once(child.stdout, 'data');
  const client = createRunpodClient({
    baseUrl: String(firstLine).trim(),
    endpointId: 'local',
    apiKey: API_KEY,
  });
  const { id } = await client.run({ kind: 'steps', steps: 1_000, stepMs: 50 });
  const pid = await runningPid(client, id);
  child.kill('SIGKILL');
  await eventually(() => expect(isAlive(pid)).toBe(false));
});

test('says what is wrong when the program cannot be started, and keeps the job', async () => {
  const errors: string[] = [];
  const logger = {
    debug: () => {},
    info: () => {},
    warn: () => {},
    error: (_: unknown, text: string) => errors.push(text),
  };
  const { client } = await setUp({ command: '/nowhere/worker' }, { logger });
  const { id } = await client.run({ kind: 'steps' });
  await eventually(() => expect(errors.join()).toContain('/nowhere/worker ENOENT'));
  expect(await client.status(id)).toMatchObject({ status: 'IN_QUEUE' });
});
