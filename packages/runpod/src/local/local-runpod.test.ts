/** The local RunPod with real worker processes: loss, cancellation, shutdown, scaling. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { createRunpodClient, parseJobError, type RunpodClient } from '../client/index.ts';
import { type LocalRunpod, type LocalRunpodOptions, startLocalRunpod } from './index.ts';
import { openJobJournal } from './job-journal.ts';
import type { WorkerProgram } from './worker-supervisor.ts';

const API_KEY = 'rpa_TESTKEY';
/** Runs TypeScript sources in a plain node process. */
const SOURCE_FLAGS = ['--conditions=source', '--import', createRequire(import.meta.url).resolve('tsx')];
const closers: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

interface Setup {
  local: LocalRunpod;
  client: RunpodClient;
  /** Lines that the workers wrote. */
  lines: string[];
}

/** A local RunPod whose workers run fixtures/worker-program.mjs from sources. */
async function setUp(
  program: Partial<WorkerProgram> = {},
  options: Partial<LocalRunpodOptions> = {},
): Promise<Setup> {
  const lines: string[] = [];
  const local = await startLocalRunpod({
    endpointId: 'local',
    apiKey: API_KEY,
    worker: {
      command: process.execPath,
      args: [...SOURCE_FLAGS, fileURLToPath(new URL('./fixtures/worker-program.mjs', import.meta.url))],
      env: { PATH: process.env['PATH'] ?? '' },
      onLine: (line) => lines.push(line),
      ...program,
    },
    // Crashed workers come back at the short end of the wait.
    random: () => 0,
    ...options,
    timings: { tickMs: 50, ...options.timings },
  });
  closers.push(() => local.close());
  return {
    local,
    lines,
    client: createRunpodClient({ baseUrl: local.baseUrl, endpointId: 'local', apiKey: API_KEY }),
  };
}

/** Waits until the job shows progress, and returns the process id that reports it. */
async function runningPid(client: RunpodClient, jobId: string): Promise<number> {
  return eventually(async () => {
    const { status, output } = await client.status<{ pid?: number }>(jobId);
    expect(status).toBe('IN_PROGRESS');
    expect(output?.pid).toBeTypeOf('number');
    return output?.pid as number;
  });
}

async function endOf<Output>(client: RunpodClient, jobId: string) {
  return eventually(async () => {
    const envelope = await client.status<Output>(jobId);
    expect(envelope.status).not.toMatch(/^IN_/);
    return envelope;
  });
}

/** `check` until it passes; generous, because the machine may be busy. */
function eventually<T>(check: () => Promise<T> | T): Promise<T> {
  return vi.waitFor(check, { timeout: 15_000, interval: 30 });
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

describe('a job', () => {
  test('is run by a worker that the supervisor starts, and shows times and worker in its envelope', async () => {
    const { client } = await setUp();
    const ended = await client.runSync({ kind: 'steps', steps: 2, stepMs: 20 });
    expect(ended).toMatchObject({ status: 'COMPLETED', output: { steps: 2 } });
    expect(ended.id).toMatch(/^sync-[0-9a-f-]{36}-e1$/);
    expect(ended.delayTime).toBeTypeOf('number');
    expect(ended.executionTime).toBeGreaterThanOrEqual(40);
    expect(ended.workerId).toBeTypeOf('string');
    expect(await client.health()).toMatchObject({
      jobs: { completed: 1, inQueue: 0 },
      workers: { ready: 1 },
    });
  });

  test('fails with the code of the handler, inside a string', async () => {
    const { client } = await setUp();
    const ended = await client.runSync({ kind: 'fail', code: 'oven_cold' });
    expect(ended.status).toBe('FAILED');
    expect(parseJobError(ended.error)).toEqual({
      code: 'oven_cold',
      message: 'The oven is cold.',
      retryable: true,
    });
  });

  test('fails, and does not complete without output, when the handler returns an error object', async () => {
    const { client } = await setUp();
    const ended = await client.runSync({ kind: 'object-error' });
    expect(ended.status).toBe('FAILED');
    expect(parseJobError(ended.error)).toMatchObject({
      code: 'handler_failed',
      message: '{"reason":"not a string"}',
    });
  });

  test('fails with its size when its result is larger than the platform takes', async () => {
    const { client } = await setUp();
    const { id } = await client.run({ kind: 'bytes', sizeBytes: 10_000_000 });
    const failure = parseJobError((await endOf(client, id)).error);
    expect(failure.code).toBe('output_too_large');
    expect(failure.message).toContain('10000022 bytes');
    const sync = await client.runSync<{ text: string }>({ kind: 'bytes', sizeBytes: 10_000_000 });
    expect(sync.output?.text).toHaveLength(10_000_000);
  });

  test('stays with its worker while a handler blocks the thread for longer than the heartbeat may be missing', async () => {
    const { client } = await setUp({}, { timings: { pingIntervalMs: 200, heartbeatTimeoutMs: 2_000 } });
    const ended = await client.runSync({ kind: 'block', durationMs: 3_500 });
    expect(ended).toMatchObject({ status: 'COMPLETED', output: 'unblocked' });
    expect(ended.retries).toBeUndefined();
  });
});

describe('a lost worker', () => {
  test('killed with SIGKILL in the middle, its job is delivered again and completed once', async () => {
    const { client } = await setUp();
    const { id } = await client.run({ kind: 'steps', steps: 20, stepMs: 50 });
    const firstPid = await runningPid(client, id);
    process.kill(firstPid, 'SIGKILL');
    const ended = await endOf<{ pid: number }>(client, id);
    expect(ended).toMatchObject({ status: 'COMPLETED', retries: 1 });
    expect(ended.output?.pid).not.toBe(firstPid);
    expect((await client.health()).jobs).toMatchObject({ completed: 1, failed: 0, retried: 1 });
  });

  test('that hangs without heartbeat gets no second word: another worker completes the job', async () => {
    const timings = { pingIntervalMs: 200, heartbeatTimeoutMs: 2_000 };
    const { client } = await setUp({ maxWorkers: 2, minWorkers: 2 }, { timings });
    const { id } = await client.run({ kind: 'steps', steps: 10, stepMs: 50 });
    const firstPid = await runningPid(client, id);
    process.kill(firstPid, 'SIGSTOP');
    const ended = await endOf<{ pid: number }>(client, id);
    process.kill(firstPid, 'SIGCONT');
    expect(ended).toMatchObject({ status: 'COMPLETED', retries: 1 });
    expect(ended.output?.pid).not.toBe(firstPid);
    // The first worker goes on where it stood; what it posts changes nothing.
    await eventually(async () => expect((await client.health()).workers.idle).toBe(2));
    expect(await client.status(id)).toEqual(ended);
  });

  test('that crashes on the job each time makes the job fail after three deliveries', async () => {
    const { client } = await setUp();
    const { id } = await client.run({ kind: 'crash' });
    const ended = await endOf(client, id);
    expect(ended).toMatchObject({ status: 'FAILED', retries: 2 });
    expect(ended.error).toContain('given to a worker 3 times');
  });
});

describe('cancelling', () => {
  test('reaches the running handler, which stops, and its worker takes the next job', async () => {
    const { client, lines } = await setUp();
    const { id } = await client.run({ kind: 'steps', steps: 1_000, stepMs: 20 });
    const pid = await runningPid(client, id);
    expect(await client.cancel(id)).toMatchObject({ id, status: 'CANCELLED' });
    const next = await client.runSync<{ pid: number }>({ kind: 'steps', steps: 1, stepMs: 1 });
    expect(next.output?.pid).toBe(pid);
    expect(await client.status(id)).toMatchObject({ status: 'CANCELLED' });
    expect(lines.join('\n')).toContain('Stopped by the platform');
  });

  test('takes a queued job out of the queue before any worker sees it', async () => {
    const { client, lines } = await setUp();
    const first = await client.run({ kind: 'steps', steps: 10, stepMs: 30 });
    const second = await client.run({ kind: 'steps', steps: 1, stepMs: 1 });
    await client.cancel(second.id);
    expect(await endOf(client, first.id)).toMatchObject({ status: 'COMPLETED' });
    expect(await client.cancel(second.id)).toMatchObject({ status: 'CANCELLED' });
    expect(lines.join('\n')).not.toContain(second.id);
  });
});

describe('the supervisor', () => {
  test('starts as many workers as jobs ask for, and stops idle ones down to the minimum', async () => {
    const { client } = await setUp({ minWorkers: 1, maxWorkers: 2, idleTimeoutMs: 300 });
    const jobs = await Promise.all(
      Array.from({ length: 3 }, () =>
        client.runSync<{ pid: number }>({ kind: 'steps', steps: 30, stepMs: 50 }),
      ),
    );
    expect(new Set(jobs.map((job) => job.output?.pid)).size).toBe(2);
    await eventually(async () => expect((await client.health()).workers.ready).toBe(1));
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
    const { client, local, lines } = await setUp();
    const { id } = await client.run({ kind: 'steps', steps: 20, stepMs: 50 });
    const pid = await runningPid(client, id);
    await local.close();
    expect(isAlive(pid)).toBe(false);
    expect(lines.join('\n')).toContain('"message":"Finished."');
  });

  test('kills a worker that does not end in its time', async () => {
    const env = { PATH: process.env['PATH'] ?? '', SHUTDOWN_DEADLINE_MS: '60000' };
    const { client, local } = await setUp({ env }, { timings: { killWorkerAfterMs: 200 } });
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
      { timings: { killWorkerAfterMs: 60_000 } },
    );
    await eventually(async () => expect((await client.health()).workers.ready).toBe(1));
    // Polls are held for 20 s and SIGKILL is a minute away: both would outlast this test.
    await local.close();
  });

  test('leaves no worker behind when it is killed itself', async () => {
    const program = fileURLToPath(new URL('./fixtures/local-program.mjs', import.meta.url));
    const child = spawn(process.execPath, [...SOURCE_FLAGS, program], {
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
});
