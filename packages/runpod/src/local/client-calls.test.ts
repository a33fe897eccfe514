/** The client against the local RunPod, with workers played by hand: retry, purge, streams, retention. */
import { afterEach, describe, expect, test, vi } from 'vitest';
import { createRunpodClient, parseJobError, type RunpodClient } from '../client/index.ts';
import { JobError, startWorker } from '../worker/index.ts';
import { settingsFrom } from '../worker/settings.ts';
import { createManualClock, type LocalRunpodOptions, startLocalRunpod } from './index.ts';

const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

async function setUp(options: Partial<LocalRunpodOptions> = {}) {
  const local = await startLocalRunpod({ endpointId: 'ep', apiKey: 'rpa_KEY', ...options });
  closers.push(() => local.close());
  const client = createRunpodClient({ baseUrl: local.baseUrl, endpointId: 'ep', apiKey: 'rpa_KEY' });

  /** A call of the worker protocol. */
  async function workerCall(path: string, body?: unknown) {
    const response = await fetch(`${local.baseUrl}/ep${path}`, {
      method: body === undefined ? 'GET' : 'POST',
      headers: { authorization: 'rpa_KEY' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    return { status: response.status, body: text === '' ? undefined : JSON.parse(text) };
  }
  const take = async (workerId = 'w1') => (await workerCall(`/job-take/${workerId}`)).body;
  const finish = (id: string, result: object, workerId = 'w1') =>
    workerCall(`/job-done/${workerId}/${id}`, result);
  const post = (id: string, chunk: unknown, workerId = 'w1') =>
    workerCall(`/job-stream/${workerId}/${id}?gpu=local&isStream=false`, { output: chunk });
  return { local, client, take, finish, post };
}

async function chunksOf(client: RunpodClient, id: string): Promise<unknown[]> {
  const chunks: unknown[] = [];
  for await (const chunk of client.stream(id, { pollIntervalMs: 5 })) chunks.push(chunk);
  return chunks;
}

describe('retry', () => {
  test('queues a failed job again under its id, without its old error and output', async () => {
    const { client, take, finish } = await setUp();
    const { id } = await client.run({ word: 'w' }, { s3Config });
    const first = await take();
    await finish(id, { error: 'no luck', output: 'half' });
    expect(await client.status(id)).toMatchObject({ status: 'FAILED', error: 'no luck', output: 'half' });
    expect(await client.retry(id)).toEqual({ id, status: 'IN_QUEUE' });
    expect(await client.status(id)).toEqual({ id, status: 'IN_QUEUE' });
    expect(await take('w2')).toEqual(first);
    await finish(id, { output: 'whole' }, 'w2');
    const ended = await client.status(id);
    expect(ended).toMatchObject({ status: 'COMPLETED', output: 'whole', workerId: 'w2' });
    expect(ended).not.toHaveProperty('retries');
    expect((await client.health()).jobs).toMatchObject({ completed: 1, failed: 1, retried: 1 });
  });

  test('takes a job that has timed out, and gives it all of its times anew', async () => {
    const clock = createManualClock();
    const { client, take } = await setUp({ clock, timings: { heartbeatTimeoutMs: 1e9 } });
    const { id } = await client.run(1, { policy: { executionTimeout: 5_000, ttl: 60_000 } });
    await take();
    clock.advance(50_000);
    expect(await client.status(id)).toMatchObject({ status: 'TIMED_OUT' });
    await client.retry(id);
    clock.advance(50_000);
    expect(await client.status(id)).toEqual({ id, status: 'IN_QUEUE' });
    await take('w2');
    expect(await client.status(id)).toMatchObject({ status: 'IN_PROGRESS', delayTime: 50_000 });
    clock.advance(10_000);
    expect(await client.status(id)).toMatchObject({ status: 'TIMED_OUT', executionTime: 5_000 });
  });

  test('refuses every other state by name, and a job that is unknown', async () => {
    const { client, take, finish } = await setUp();
    const refusal = (id: string, status: string) =>
      expect(client.retry(id)).rejects.toMatchObject({
        code: 'bad_request',
        message: expect.stringContaining(`should be FAILED or TIMED_OUT, but is ${status}`),
      });
    const { id } = await client.run(1);
    await refusal(id, 'IN_QUEUE');
    await take();
    await refusal(id, 'IN_PROGRESS');
    await finish(id, {});
    await refusal(id, 'COMPLETED');
    const cancelled = await client.run(1);
    await client.cancel(cancelled.id);
    await refusal(cancelled.id, 'CANCELLED');
    await expect(client.retry('none')).rejects.toMatchObject({ code: 'not_found' });
  });
});

const s3Config = { accessId: 'a', accessSecret: 's', bucketName: 'b', endpointUrl: 'https://s3.test' };

test('s3Config reaches the worker in its job', async () => {
  const { client, take } = await setUp();
  const { id } = await client.run(1, { s3Config });
  expect(await take()).toEqual({ id, input: 1, s3Config });
});

test('purgeQueue ends what is queued as CANCELLED, and leaves running jobs alone', async () => {
  const { client, take, finish } = await setUp();
  const ids = [];
  for (let job = 0; job < 3; job += 1) ids.push((await client.run(job)).id);
  const [running = '', ...queued] = ids;
  await take();
  const waiting = client.statusSync(queued[0] ?? '');
  expect(await client.purgeQueue()).toBe(2);
  expect(await client.purgeQueue()).toBe(0);
  expect(await waiting).toEqual({ id: queued[0], status: 'CANCELLED' });
  await finish(running, { output: 'o' });
  expect(await client.status(running)).toMatchObject({ status: 'COMPLETED', output: 'o' });
});

test('a ttl given with /status shortens what is left of the retention, and never lengthens it', async () => {
  const clock = createManualClock();
  const { local, client } = await setUp({ clock });
  const { id } = await client.run(1);
  await client.cancel(id);
  const statusWith = async (ttl: string) => {
    const headers = { authorization: 'rpa_KEY' };
    return (await fetch(`${local.baseUrl}/ep/status/${id}?ttl=${ttl}`, { headers })).status;
  };
  expect(await statusWith('soon')).toBe(400);
  expect(await statusWith('0')).toBe(400);
  expect(await statusWith('60000')).toBe(200);
  expect(await statusWith('3600000')).toBe(200);
  clock.advance(59_000);
  expect(await client.status(id)).toMatchObject({ status: 'CANCELLED' });
  clock.advance(1_000);
  await expect(client.status(id)).rejects.toMatchObject({ code: 'not_found' });
});

describe('stream', () => {
  test('gives the chunks in order while the job runs, and ends with it', async () => {
    const { client, take, finish, post } = await setUp();
    const { id } = await client.run(1);
    const chunks = client.stream<{ n: number }>(id, { pollIntervalMs: 5 });
    const first = chunks.next();
    await take();
    await post(id, { n: 1 });
    expect(await first).toEqual({ done: false, value: { n: 1 } });
    for (const chunk of [{ n: 2 }, null, 'text']) expect((await post(id, chunk)).status).toBe(200);
    await finish(id, { output: [] });
    const rest = [];
    for await (const chunk of chunks) rest.push(chunk);
    expect(rest).toEqual([{ n: 2 }, null, 'text']);
    expect(await chunksOf(client, id)).toEqual([]);
  });

  test('gives what there is of a job that fails, then throws its error', async () => {
    const { client, take, finish, post } = await setUp();
    const { id } = await client.run(1);
    await take();
    await post(id, 'a');
    await finish(id, { error: '{"code":"gpu_lost","error_message":"The GPU went away","retryable":true}' });
    const chunks = client.stream(id, { pollIntervalMs: 5 });
    expect(await chunks.next()).toEqual({ done: false, value: 'a' });
    await expect(chunks.next()).rejects.toMatchObject({
      code: 'job_failed',
      retryable: true,
      message: expect.stringContaining('ended FAILED while it was streamed: The GPU went away'),
    });
  });

  test('throws for a job that is cancelled, and for one that nobody knows', async () => {
    const { client } = await setUp();
    const { id } = await client.run(1);
    await client.cancel(id);
    await expect(chunksOf(client, id)).rejects.toMatchObject({ code: 'job_failed' });
    await expect(chunksOf(client, 'none')).rejects.toMatchObject({ code: 'not_found' });
  });

  test('takes no chunk above 1 MB, none without output, and none of a worker that has not the job', async () => {
    const { local, client, take, finish, post } = await setUp();
    const { id } = await client.run(1);
    await take();
    const largest = 'x'.repeat(1_000_000 - '{"output":""}'.length);
    expect((await post(id, largest)).status).toBe(200);
    const refused = await post(id, `${largest}x`);
    expect(refused.status).toBe(400);
    expect(refused.body.error).toContain('1000000 bytes at most');
    expect((await post(id, undefined)).status).toBe(400);
    expect((await post(id, 'stranger', 'w2')).body).toEqual({ ignored: true });
    await finish(id, {});
    expect((await post(id, 'late')).body).toEqual({ ignored: true });
    expect(await chunksOf(client, id)).toEqual([largest]);
    expect(local.workerEnvironment('w9')['RUNPOD_WEBHOOK_POST_STREAM']).toBe(
      `${local.baseUrl}/ep/job-stream/$RUNPOD_POD_ID/$ID?gpu=local`,
    );
  });

  test('carries what our worker yields, text beyond the limit in parts, and the error that it ends with', async () => {
    const { local, client } = await setUp();
    const long = 'é'.repeat(900_000);
    const worker = startWorker({
      settings: settingsFrom(local.workerEnvironment()),
      async *handler() {
        yield { step: 1 };
        yield long;
        throw new JobError('The model has nothing more to say.', { code: 'speechless' });
      },
    });
    closers.push(() => worker.shutdown({ deadlineMs: 0 }));
    const { id } = await client.run(1);
    const chunks: unknown[] = [];
    const reading = (async () => {
      for await (const chunk of client.stream(id, { pollIntervalMs: 5 })) chunks.push(chunk);
    })();
    await expect(reading).rejects.toMatchObject({
      code: 'job_failed',
      message: `Job ${id} ended FAILED while it was streamed: The model has nothing more to say.`,
    });
    const [first, ...parts] = chunks;
    expect(first).toEqual({ step: 1 });
    expect(parts.length).toBeGreaterThan(1);
    expect(parts.join('') === long).toBe(true);
    expect(parseJobError((await client.status(id)).error).code).toBe('speechless');
  });

  test('begins anew with the worker that gets the job of a lost one', async () => {
    const { client, take, finish, post } = await setUp({
      timings: { heartbeatTimeoutMs: 100, tickMs: 10 },
    });
    const { id } = await client.run(1);
    await take('w1');
    await post(id, 'lost');
    await vi.waitFor(async () => expect((await client.status(id)).status).toBe('IN_QUEUE'), {
      timeout: 15_000,
    });
    await take('w2');
    await post(id, 'right', 'w2');
    await finish(id, {}, 'w2');
    expect(await chunksOf(client, id)).toEqual(['right']);
  });
});
