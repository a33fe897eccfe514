/** The client against the local RunPod while calls go wrong: what is made again, what is not, and what came of it. */
import { afterEach, describe, expect, test } from 'vitest';
import { type Fault, type FaultCall, type FaultRule, startLocalRunpod } from '../local/index.ts';
import { createRunpodClient, type RunpodClient } from './index.ts';

const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

async function setUp(...rules: FaultRule[]) {
  const local = await startLocalRunpod({ endpointId: 'ep', apiKey: 'k', faults: { rules } });
  closers.push(() => local.close());
  const client = createRunpodClient({
    baseUrl: local.baseUrl,
    endpointId: 'ep',
    apiKey: 'k',
    backoff: { baseMs: 1, maxMs: 2 },
    timeoutMs: 5_000,
  });
  const worker = async (path: string, body?: object) => {
    const response = await fetch(`${local.baseUrl}/ep${path}`, {
      method: body === undefined ? 'GET' : 'POST',
      headers: { authorization: 'k' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    await response.text();
  };
  return { client, worker };
}

const first = (call: FaultCall, fault: Fault): FaultRule => ({ call, nth: 1, fault });
const TRANSIENT: Fault[] = [
  { kind: 'cut', when: 'before' },
  { kind: 'cut', when: 'middle' },
  { kind: 'cut', when: 'after' },
  { kind: 'answer', status: 429, retryAfterSeconds: 0 },
  { kind: 'answer', status: 500 },
  { kind: 'answer', status: 503 },
];

describe.each(TRANSIENT)('befallen by %j', (fault) => {
  test('status, statusSync, health, cancel and purgeQueue are made again', async () => {
    const calls = ['status', 'status-sync', 'health', 'cancel', 'purge-queue'] as const;
    const { client } = await setUp(...calls.map((call) => first(call, fault)));
    const { id } = await client.run(1);
    const other = await client.run(2);
    expect(await client.status(id)).toEqual({ id, status: 'IN_QUEUE' });
    expect((await client.health()).jobs.inQueue).toBe(2);
    expect(await client.cancel(id)).toMatchObject({ id, status: 'CANCELLED' });
    expect(await client.statusSync(id)).toMatchObject({ id, status: 'CANCELLED' });
    await client.purgeQueue();
    expect(await client.status(other.id)).toMatchObject({ status: 'CANCELLED' });
  });

  const isRefusal = fault.kind === 'answer';
  const isSafe = isRefusal && fault.status === 429;
  const submissions: [FaultCall, (client: RunpodClient) => Promise<unknown>][] = [
    ['run', (client) => client.run(1)],
    ['runsync', (client) => client.runSync(1, { waitMs: 1_000 })],
  ];
  // Where it is acted on, a runsync is held for its wait first: /run shows the same sooner.
  const isActedOn = isSafe || (fault.kind === 'cut' && fault.when !== 'before');
  test.each(isActedOn ? submissions.slice(0, 1) : submissions)(
    `%s is ${isSafe ? 'made again' : 'not made again'}`,
    async (call, submit) => {
      const { client } = await setUp(first(call, fault));
      const submitted = submit(client);
      if (isSafe) await submitted;
      else {
        await expect(submitted).rejects.toMatchObject({
          code: isRefusal ? 'server_error' : 'network',
          retryable: true,
          httpStatus: isRefusal ? fault.status : undefined,
        });
      }
      expect((await client.health()).jobs.inQueue).toBe(isActedOn ? 1 : 0);
    },
  );
});

test('retry, whose job may have failed anew meanwhile, is not made again after a lost reply', async () => {
  const { client, worker } = await setUp(first('retry', { kind: 'cut', when: 'after' }));
  const { id } = await client.run(1);
  await worker('/job-take/w1');
  await worker(`/job-done/w1/${id}`, { error: 'e' });
  await expect(client.retry(id)).rejects.toMatchObject({ code: 'network' });
  expect(await client.status(id)).toMatchObject({ status: 'IN_QUEUE' });
});

describe('a stream', () => {
  test.each<['before' | 'middle' | 'after', unknown[]]>([
    ['before', ['a', 'b']],
    ['middle', ['a', 'b']],
    ['after', ['b']],
  ])('whose poll is cut %s ends with the error, and a new one brings %j', async (when, rest) => {
    const { client, worker } = await setUp(first('stream', { kind: 'cut', when }));
    const { id } = await client.run(1);
    await worker('/job-take/w1');
    await worker(`/job-stream/w1/${id}`, { output: 'a' });
    await expect(client.stream(id).next()).rejects.toMatchObject({ code: 'network', retryable: true });
    await worker(`/job-stream/w1/${id}`, { output: 'b' });
    await worker(`/job-done/w1/${id}`, { output: [] });
    const chunks: unknown[] = [];
    for await (const chunk of client.stream(id, { pollIntervalMs: 1 })) chunks.push(chunk);
    expect(chunks).toEqual(rest);
  });

  test('goes on through polls that were refused before anything was handed out', async () => {
    const { client, worker } = await setUp(
      first('stream', { kind: 'answer', status: 429, retryAfterSeconds: 0 }),
    );
    const { id } = await client.run(1);
    await worker('/job-take/w1');
    await worker(`/job-stream/w1/${id}`, { output: 'a' });
    expect(await client.stream(id).next()).toEqual({ done: false, value: 'a' });
  });
});

test('waiting for the end survives what befalls its calls', async () => {
  const { client, worker } = await setUp(
    first('status-sync', { kind: 'cut', when: 'after' }),
    first('status-sync', { kind: 'answer', status: 502 }),
  );
  const { id } = await client.run(1);
  const end = client.waitForEnd(id);
  await worker('/job-take/w1');
  await worker(`/job-done/w1/${id}`, { output: 'o' });
  expect(await end).toMatchObject({ status: 'COMPLETED', output: 'o' });
});

test('a call that nobody answers ends with timeout, one that its caller gives up with aborted', async () => {
  const { client } = await setUp({ call: ['run', 'status'], fault: { kind: 'drop' } });
  const impatient = new AbortController();
  const status = client.status('a', { signal: impatient.signal });
  const run = client.run(1, { signal: impatient.signal });
  impatient.abort();
  await expect(status).rejects.toMatchObject({ code: 'aborted', retryable: false });
  await expect(run).rejects.toMatchObject({ code: 'aborted' });
});
