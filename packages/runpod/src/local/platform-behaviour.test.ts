/** What the local RunPod does to workers and jobs where settings decide, over HTTP and on a clock that stands still. */
import { once } from 'node:events';
import { connect } from 'node:net';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { silentLogger } from '../logger.ts';
import {
  createManualClock,
  type ExchangeRecord,
  type LocalRunpodOptions,
  startLocalRunpod,
} from './index.ts';

const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

async function setUp(options: Partial<LocalRunpodOptions> = {}) {
  const clock = createManualClock(1_000_000);
  const local = await startLocalRunpod({ endpointId: 'ep', apiKey: 'rpa_KEY', clock, ...options });
  closers.push(() => local.close());
  async function call(path: string, body?: object) {
    const response = await fetch(`${local.baseUrl}/ep${path}`, {
      method: body === undefined ? 'GET' : 'POST',
      headers: { authorization: 'rpa_KEY' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    const { status, headers } = response;
    return {
      status,
      retryAfter: headers.get('retry-after'),
      body: text === '' ? undefined : JSON.parse(text),
    };
  }
  async function taken(workerId = 'w1', policy = {}): Promise<string> {
    const { id } = (await call('/run', { input: 1, policy })).body;
    expect((await call(`/job-take/${workerId}`)).body.id).toBe(id);
    return id;
  }
  return { local, clock, call, taken };
}

/** `check` until it passes; generous, because the machine may be busy. */
function eventually<T>(check: () => Promise<T> | T): Promise<T> {
  return vi.waitFor(check, { timeout: 15_000, interval: 5 });
}

describe('takes', () => {
  test('that bring nothing are held and then answered 400 when the endpoint has FlashBoot', async () => {
    const { clock, call } = await setUp({ platform: { emptyTakeStatus: 400 } });
    const take = call('/job-take/w1');
    await eventually(async () => expect((await call('/health')).body.workers.ready).toBe(1));
    clock.advance(20_000);
    expect(await take).toMatchObject({ status: 400, body: undefined });
    const next = call('/job-take/w1');
    const { id } = (await call('/run', { input: 1 })).body;
    expect(await next).toMatchObject({ status: 200, body: { id } });
  });

  test('beyond a limit of their own are answered 429 with Retry-After', async () => {
    const { clock, call, taken } = await setUp({
      rateLimits: { 'job-take': { perTenSeconds: 1, retryAfterSeconds: 4 } },
    });
    await taken();
    expect(await call('/job-take/w1')).toMatchObject({ status: 429, retryAfter: '4' });
    clock.advance(10_000);
    await taken();
  });
});

describe('rate limits', () => {
  test('grow with the running workers: the larger of the base and workers times allowance holds', async () => {
    const { call, taken } = await setUp({
      rateLimits: { run: { perTenSeconds: 3, perWorker: { perTenSeconds: 2 } } },
    });
    // One running worker allows two, which is less than the base of three.
    await taken('w1');
    await taken('w2');
    expect((await call('/run', { input: 1 })).status).toBe(200);
    const fourth = await call('/run', { input: 1 });
    expect(fourth.status).toBe(200);
    expect(await call('/run', { input: 1 })).toMatchObject({
      status: 429,
      retryAfter: null,
      body: { error: '/run may be called 4 times in ten seconds.' },
    });
  });

  test('hold for /requests too, which is not answered otherwise', async () => {
    const { call } = await setUp();
    for (let count = 0; count < 10; count += 1) {
      const { status, body } = await call('/requests');
      expect(status).toBe(501);
      expect(body.error).toContain('no reply');
    }
    expect((await call('/requests')).status).toBe(429);
    for (const path of ['/batch', '/batch/b1', '/batch/b1/finalize']) {
      expect(await call(path, {})).toMatchObject({
        status: 501,
        body: { error: expect.stringContaining('/run') },
      });
    }
  });

  test('of the queue itself refuse what would make it longer', async () => {
    const { call } = await setUp({ maxQueuedJobs: 2 });
    for (const status of [200, 200, 429]) expect((await call('/run', { input: 1 })).status).toBe(status);
    expect((await call('/runsync', { input: 1 })).status).toBe(429);
    await call('/job-take/w1');
    expect((await call('/run', { input: 1 })).status).toBe(200);
  });
});

describe('a result', () => {
  const strict = { oversizeResult: 'FAILED', nonStringError: 'FAILED' } as const;

  test('that is too large fails its job with the size when so configured', async () => {
    const { call, taken } = await setUp({ platform: strict });
    const id = await taken();
    expect((await call(`/job-done/w1/${id}`, { output: 'x'.repeat(10_000_000) })).status).toBe(400);
    expect((await call(`/status/${id}`)).body).toMatchObject({
      status: 'FAILED',
      error: 'The result was larger than 10000000 bytes.',
    });
  });

  test.each([[['a', 'list']], [{ code: 'x' }], [0]])(
    'with the error %j keeps it as JSON when so configured',
    async (error) => {
      const { call, taken } = await setUp({ platform: strict });
      const id = await taken();
      await call(`/job-done/w1/${id}`, { error, output: 2 });
      expect((await call(`/status/${id}`)).body).toMatchObject({
        status: 'FAILED',
        error: JSON.stringify(error),
        output: 2,
      });
    },
  );
});

describe('a running job', () => {
  test('beyond its ttl is gone, and its worker is told to stop', async () => {
    const { clock, call, taken } = await setUp({ timings: { heartbeatTimeoutMs: 1e9 } });
    const id = await taken('w1', { ttl: 10_000 });
    const stop = call('/job-stop/w1');
    clock.advance(10_200);
    expect((await stop).body).toEqual({ jobsToStop: [id] });
    expect((await call(`/status/${id}`)).status).toBe(404);
    expect((await call(`/job-done/w1/${id}`, { output: 'late' })).body).toEqual({ ignored: true });
    // A worker that missed the order hears it again when it names the job.
    await call(`/ping/w1?job_id=${id}`);
    expect((await call('/job-stop/w1')).body).toEqual({ jobsToStop: [id] });
  });

  test('beyond its executionTimeout ends TIMED_OUT, and its worker is told to stop', async () => {
    const { clock, call, taken } = await setUp();
    const id = await taken('w1', { executionTimeout: 5_000 });
    const stop = call('/job-stop/w1');
    clock.advance(5_200);
    expect((await stop).body).toEqual({ jobsToStop: [id] });
    expect((await call(`/status/${id}`)).body).toMatchObject({
      status: 'TIMED_OUT',
      error: 'The job ran longer than 5000 ms.',
      workerId: 'w1',
    });
  });

  test('whose worker stops reporting ends TIMED_OUT at once when jobs are given out once only', async () => {
    const { clock, call, taken } = await setUp({ maxDeliveries: 1, lostStatus: 'TIMED_OUT' });
    const id = await taken();
    clock.advance(14_000);
    await call('/ping/w1');
    expect((await call(`/status/${id}`)).body.status).toBe('IN_PROGRESS');
    clock.advance(1_200);
    expect((await call(`/status/${id}`)).body).toMatchObject({
      status: 'TIMED_OUT',
      error: expect.stringContaining('worker w1 stopped reporting it'),
    });
  });
});

test('a worker that is not fit gets no more jobs, and what it had goes to another', async () => {
  const { clock, call, taken } = await setUp();
  const id = await taken('w1');
  const held = call('/job-take-batch/w1?batch_size=2');
  await eventually(async () => expect((await call('/health')).body.workers.running).toBe(1));
  await call('/ping/w1?status=unhealthy&check=vram&reason=none+left&runpod_version=x');
  expect((await held).status).toBe(204);
  expect((await call('/health')).body).toMatchObject({
    jobs: { inQueue: 1, inProgress: 0, retried: 1 },
    workers: { ready: 0, running: 0, idle: 0, unhealthy: 1 },
  });
  const refused = call('/job-take/w1');
  expect((await call('/job-stop/w1')).body).toEqual({ jobsToStop: [id] });
  expect((await call('/job-take/w2')).body.id).toBe(id);
  await eventually(async () => {
    clock.advance(100);
    await Promise.race([refused, new Promise<never>((_, reject) => setTimeout(reject, 5))]);
  });
  expect((await refused).status).toBe(204);
  expect((await call(`/status/${id}`)).body).toMatchObject({ workerId: 'w2', retries: 1 });
});

test('a caller that leaves while it sends is no error of ours, and changes nothing', async () => {
  const errors: string[] = [];
  const records: ExchangeRecord[] = [];
  const { local, call } = await setUp({
    logger: { ...silentLogger, error: (_, message) => errors.push(message) },
    onExchange: (record) => records.push(record),
  });
  const socket = connect(local.port, '127.0.0.1');
  await once(socket, 'connect');
  const head =
    'POST /v2/ep/run HTTP/1.1\r\nhost: h\r\nauthorization: rpa_KEY\r\ncontent-length: 100\r\n\r\n{"inp';
  await new Promise<void>((resolve) => socket.write(head, () => resolve()));
  await call('/health');
  socket.destroy();
  await eventually(() => expect(records).toHaveLength(2));
  expect(records[1]).toMatchObject({ operation: 'run', status: undefined, isComplete: false });
  expect((await call('/health')).body.jobs.inQueue).toBe(0);
  expect(errors).toEqual([]);
});

test('an observer gets each request and its reply, without the key', async () => {
  const records: ExchangeRecord[] = [];
  const { call, taken } = await setUp({ onExchange: (record) => records.push(record) });
  const id = await taken();
  await call(`/job-done/w1/${id}?gpu=local&isStream=false`, { output: 'é' });
  await call('/dance');
  await eventually(() => expect(records).toHaveLength(4));
  expect(records.map(({ side, operation, status }) => [side, operation, status])).toEqual([
    ['client', 'run', 200],
    ['worker', 'job-take', 200],
    ['worker', 'job-done', 200],
    ['client', 'dance', 404],
  ]);
  expect(records[2]).toEqual({
    side: 'worker',
    operation: 'job-done',
    method: 'POST',
    path: `/v2/ep/job-done/w1/${id}`,
    query: 'gpu=local&isStream=false',
    headers: expect.objectContaining({ authorization: '<api key>' }),
    body: '{"output":"é"}',
    status: 200,
    reply: '{"ignored":false}',
    isComplete: true,
    startedAtMs: 1_000_000,
    endedAtMs: 1_000_000,
  });
  expect(JSON.stringify(records)).not.toContain('rpa_KEY');
});
