/** The local RunPod with real worker processes: what becomes of jobs, of lost workers, of cancelled jobs. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { endOf, eventually, runningPid, startWorkerStand } from '../../testing/worker-stand.ts';
import { parseJobError } from '../client/index.ts';

const closers: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});
const setUp = (...parameters: ParametersAfterClosers) => startWorkerStand(closers, ...parameters);
type ParametersAfterClosers =
  Parameters<typeof startWorkerStand> extends [unknown, ...infer Rest] ? Rest : never;

describe('a job', () => {
  const sharedClosers: (() => Promise<unknown>)[] = [];
  let client: Awaited<ReturnType<typeof startWorkerStand>>['client'];
  beforeAll(async () => {
    ({ client } = await startWorkerStand(sharedClosers));
  });
  afterAll(async () => {
    for (const close of sharedClosers.reverse()) await close();
  });

  test('is run by a worker that the supervisor starts, and shows times and worker in its envelope', async () => {
    const ended = await client.runSync({ kind: 'steps', steps: 2, stepMs: 20 });
    expect(ended).toMatchObject({ status: 'COMPLETED', output: { steps: 2 } });
    expect(ended.id).toMatch(/^sync-[0-9a-f-]{36}-e1$/);
    expect(ended.delayTime).toBeTypeOf('number');
    expect(ended.executionTime).toBeTypeOf('number');
    expect(ended.workerId).toBeTypeOf('string');
    expect(await client.health()).toMatchObject({
      jobs: { completed: 1, inQueue: 0 },
      workers: { ready: 1, idle: 1, running: 0, initializing: 0, throttled: 0, unhealthy: 0 },
    });
  });

  test('fails with the code of the handler, inside a string', async () => {
    const ended = await client.runSync({ kind: 'fail', code: 'oven_cold' });
    expect(ended.status).toBe('FAILED');
    expect(parseJobError(ended.error)).toEqual({
      code: 'oven_cold',
      message: 'The oven is cold.',
      retryable: true,
    });
  });

  test('fails, and does not complete without output, when the handler returns an error object', async () => {
    const ended = await client.runSync({ kind: 'object-error' });
    expect(ended.status).toBe('FAILED');
    expect(parseJobError(ended.error)).toMatchObject({
      code: 'handler_failed',
      message: '{"reason":"not a string"}',
    });
  });

  test('fails with its size when its result is larger than the platform takes', async () => {
    const { id } = await client.run({ kind: 'bytes', sizeBytes: 10_000_000 });
    const failure = parseJobError((await endOf(client, id)).error);
    expect(failure.code).toBe('output_too_large');
    expect(failure.message).toContain('10000022 bytes');
    const sync = await client.runSync<{ text: string }>({ kind: 'bytes', sizeBytes: 10_000_000 });
    expect(sync.output?.text).toHaveLength(10_000_000);
  });
});

test('a job stays with its worker while a handler blocks the thread for longer than the heartbeat may be missing', async () => {
  const { client, clock, gate, open, exchanges } = await setUp();
  const { id } = await client.run({ kind: 'block', gate });
  const pings = () => exchanges.filter(({ operation, query }) => operation === 'ping' && query.includes(id));
  for (let count = 1; count <= 3; count += 1) {
    const seen = pings().length;
    await eventually(() => expect(pings().length).toBeGreaterThan(seen));
    clock.advance(10_000);
  }
  await open();
  const ended = await endOf(client, id);
  expect(ended).toMatchObject({ status: 'COMPLETED', output: 'unblocked' });
  expect(ended.retries).toBeUndefined();
});

describe('a lost worker', () => {
  test('killed with SIGKILL in the middle, its job is delivered again and completed once', async () => {
    const { client, clock, gate, open } = await setUp();
    const { id } = await client.run({ kind: 'gated', gate });
    const firstPid = await runningPid(client, id);
    process.kill(firstPid, 'SIGKILL');
    await eventually(async () => {
      expect((await client.health()).workers).toMatchObject({ ready: 0, throttled: 1 });
    });
    clock.advance(1_000);
    const secondPid = await runningPid(client, id, firstPid);
    await open();
    const ended = await endOf<{ pid: number }>(client, id);
    expect(ended).toMatchObject({ status: 'COMPLETED', retries: 1, output: { pid: secondPid } });
    expect((await client.health()).jobs).toMatchObject({ completed: 1, failed: 0, retried: 1 });
  });

  test('that hangs without heartbeat gets no second word: another worker completes the job', async () => {
    const { client, clock, gate, open } = await setUp({ maxWorkers: 2, minWorkers: 2 });
    const { id } = await client.run({ kind: 'gated', gate });
    const firstPid = await runningPid(client, id);
    process.kill(firstPid, 'SIGSTOP');
    await eventually(async () => {
      clock.advance(1_000);
      expect(await client.status(id)).toMatchObject({ retries: 1 });
    });
    await runningPid(client, id, firstPid);
    await open();
    const ended = await endOf<{ pid: number }>(client, id);
    process.kill(firstPid, 'SIGCONT');
    expect(ended).toMatchObject({ status: 'COMPLETED', retries: 1 });
    expect(ended.output?.pid).not.toBe(firstPid);
    // The first worker goes on where it stood; what it posts changes nothing.
    await eventually(async () => expect((await client.health()).workers.idle).toBe(2));
    expect(await client.status(id)).toEqual(ended);
  });

  test('that crashes on the job each time makes the job fail after three deliveries', async () => {
    const { client, clock } = await setUp();
    const { id } = await client.run({ kind: 'crash' });
    const ended = await eventually(async () => {
      clock.advance(250);
      const envelope = await client.status(id);
      expect(envelope.status).not.toMatch(/^IN_/);
      return envelope;
    });
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
