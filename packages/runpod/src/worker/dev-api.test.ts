/** `--rp_serve_api`: production's verbs and the Python SDK's, with jobs that really run. */
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { eventually } from '../../testing/scripted-platform.ts';
import { createRunpodClient } from '../client/index.ts';
import { silentLogger } from '../logger.ts';
import { type DevApi, serveDevApi } from './dev-api.ts';
import type { Job, JobContext } from './index.ts';

type Input = { words?: string[]; endless?: boolean };

async function* handler({ input }: Job<Input>, { signal }: JobContext) {
  for (const word of input.words ?? []) yield word;
  if (input.endless) await sleep(600_000, undefined, { signal });
}

describe('the development API', () => {
  let api: DevApi;
  let url: string;
  beforeAll(async () => {
    const worker = { handler, aggregate: true };
    api = await serveDevApi({ host: '127.0.0.1', port: 0, concurrency: 2, worker, logger: silentLogger });
    url = `http://127.0.0.1:${api.port}`;
  });
  afterAll(() => api.shutdown({ deadlineMs: 0 }));

  async function call(method: string, path: string, body?: unknown): Promise<Record<string, unknown>> {
    const response = await fetch(url + path, { method, ...(body ? { body: JSON.stringify(body) } : {}) });
    return (await response.json()) as Record<string, unknown>;
  }

  test('runs a job in the background and answers /runsync with its envelope', async () => {
    const output = ['a', 'b'];
    expect(await call('POST', '/runsync', { input: { words: output } })).toMatchObject({
      id: expect.stringMatching(/^sync-/),
      status: 'COMPLETED',
      output,
    });
  });

  test.each(['GET', 'POST'])('answers /status by %s, again and again, and so /stream', async (method) => {
    const { id, status } = await call('POST', '/run', { input: { words: ['one'] } });
    expect(status).toBe('IN_QUEUE');
    await eventually(async () =>
      expect(await call(method, `/status/${id}`)).toMatchObject({ status: 'COMPLETED' }),
    );
    expect(await call(method, `/status/${id}`)).toMatchObject({ output: ['one'] });
    expect(await call(method, `/stream/${id}`)).toMatchObject({ stream: [{ output: 'one' }] });
  });

  test('cancels a running job, runs another meanwhile, and reports its health', async () => {
    const { id } = await call('POST', '/run', { input: { endless: true } });
    await eventually(async () =>
      expect(await call('GET', `/status/${id}`)).toMatchObject({ status: 'IN_PROGRESS' }),
    );
    expect(await call('POST', '/runsync', { input: {} })).toMatchObject({ status: 'COMPLETED' });
    expect(await call('GET', '/health')).toMatchObject({ jobs: { inProgress: 1 } });
    expect(await call('POST', `/cancel/${id}`)).toMatchObject({ status: 'CANCELLED' });
  });

  test("calls a job's webhook with the envelope, not the bare output", async () => {
    const bodies: unknown[] = [];
    const receiver = createServer(async (request, response) => {
      bodies.push(JSON.parse(await text(request)));
      response.end();
    }).listen(0, '127.0.0.1');
    await once(receiver, 'listening');
    const webhook = `http://127.0.0.1:${(receiver.address() as AddressInfo).port}/hook`;
    const { id } = await call('POST', '/run', { input: { words: ['x'] }, webhook });
    await eventually(() => expect(bodies).toMatchObject([{ id, status: 'COMPLETED', output: ['x'] }]));
    receiver.close();
  });

  test("serves RunPod's clients below /v2, and says what it has", async () => {
    const client = createRunpodClient({ baseUrl: `${url}/v2`, endpointId: 'any', apiKey: 'any' });
    expect(await client.runSync({ words: ['y'] })).toMatchObject({ output: ['y'] });
    expect(await call('GET', '/')).toMatchObject({ calls: expect.arrayContaining(['/run', '/health']) });
    expect((await fetch(`${url}/nowhere`)).status).toBe(404);
  });
});

test('a port that is taken is named', async () => {
  const taken = createServer().listen(0, '127.0.0.1');
  await once(taken, 'listening');
  const { port } = taken.address() as AddressInfo;
  const options = { host: '127.0.0.1', port, concurrency: 1, worker: { handler }, logger: silentLogger };
  await expect(serveDevApi(options)).rejects.toMatchObject({
    code: 'port_unavailable',
    message: expect.stringContaining(String(port)),
  });
  taken.close();
});
