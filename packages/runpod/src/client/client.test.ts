/** The client against servers that answer, refuse, hang and cut. */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import fc from 'fast-check';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { createManualClock } from '../local/manual-clock.ts';
import {
  createRunpodClient,
  parseJobError,
  type RunpodClient,
  type RunpodClientOptions,
  RunpodError,
} from './index.ts';
import { readEnvelope, readHealth } from './response.ts';

const closers: (() => void)[] = [];
afterEach(() => {
  for (const close of closers.splice(0)) close();
});

/** A server that answers with `replies` in turn, the last one for ever. */
async function setUp(
  replies: ((response: ServerResponse) => unknown)[],
  options: Partial<RunpodClientOptions> = {},
) {
  const requests: { line: string; headers: IncomingMessage['headers']; body: string }[] = [];
  const server = createServer(async (request, response) => {
    requests.push({
      line: `${request.method} ${request.url}`,
      headers: request.headers,
      body: await text(request),
    });
    const reply = replies.length > 1 ? replies.shift() : replies[0];
    reply?.(response);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  closers.push(() => {
    server.closeAllConnections();
    server.close();
  });
  const client = createRunpodClient({
    baseUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v2/`,
    endpointId: 'ep',
    apiKey: 'rpa_KEY',
    backoff: { baseMs: 1, maxMs: 2 },
    ...options,
  });
  return { client, requests };
}

function json(status: number, body: unknown) {
  return (response: ServerResponse) => response.writeHead(status).end(JSON.stringify(body));
}

const cut = (response: ServerResponse) => response.destroy();
const queued = json(200, { id: 'a-e1', status: 'IN_QUEUE' });

describe('calls', () => {
  test('have the paths, methods, key and bodies of the endpoint API', async () => {
    const { client, requests } = await setUp([queued]);
    await client.run(
      { prompt: 'p' },
      {
        webhook: 'https://x.test/h',
        policy: { executionTimeout: 5_000, ttl: undefined },
        s3Config: { accessId: 'a', accessSecret: 's', bucketName: 'b', endpointUrl: 'https://s3.test' },
      },
    );
    await client.runSync({ prompt: 'p' }, { waitMs: 1_000 });
    await client.status('a/b');
    await client.statusSync('a/b');
    await client.statusSync('a', { waitMs: 1_000 });
    await client.retry('a/b');
    await client.cancel('a-e1');
    await client.health();
    expect(requests.map(({ line }) => line)).toEqual([
      'POST /v2/ep/run',
      'POST /v2/ep/runsync?wait=1000',
      'GET /v2/ep/status/a%2Fb',
      'GET /v2/ep/status-sync/a%2Fb',
      'GET /v2/ep/status-sync/a?wait=1000',
      'POST /v2/ep/retry/a%2Fb',
      'POST /v2/ep/cancel/a-e1',
      'GET /v2/ep/health',
    ]);
    expect(JSON.parse(requests[0]?.body ?? '')).toEqual({
      input: { prompt: 'p' },
      webhook: 'https://x.test/h',
      policy: { executionTimeout: 5_000 },
      s3Config: { accessId: 'a', accessSecret: 's', bucketName: 'b', endpointUrl: 'https://s3.test' },
    });
    expect(JSON.parse(requests[1]?.body ?? '')).toEqual({ input: { prompt: 'p' } });
    for (const { headers } of requests) expect(headers.authorization).toBe('Bearer rpa_KEY');
  });

  test.each([
    [401, 'unauthorized'],
    [404, 'not_found'],
    [400, 'bad_request'],
    [413, 'bad_request'],
  ])('refused with %i throw %s at once', async (status, code) => {
    const { client, requests } = await setUp([json(status, { error: 'no' })]);
    await expect(client.status('a')).rejects.toMatchObject({ code, httpStatus: status, retryable: false });
    expect(requests).toHaveLength(1);
  });

  test('that may be repeated are, after a cut connection, a 503 and a 429', async () => {
    const { client, requests } = await setUp([cut, json(503, {}), json(429, {}), queued]);
    expect(await client.status('a-e1')).toEqual({ id: 'a-e1', status: 'IN_QUEUE' });
    expect(requests).toHaveLength(4);
  });

  test('are given up after the last attempt with the last error', async () => {
    const { client, requests } = await setUp([json(503, { error: 'busy' })], { maxAttempts: 3 });
    await expect(client.cancel('a')).rejects.toMatchObject({ code: 'server_error', retryable: true });
    expect(requests).toHaveLength(3);
  });

  test('end when the caller aborts, in a wait or in the request', async () => {
    const { client } = await setUp([() => {}]);
    const abort = new AbortController();
    const call = client.status('a', { signal: abort.signal });
    abort.abort();
    await expect(call).rejects.toMatchObject({ code: 'aborted' });
  });

  test('end when the server does not answer in time', async () => {
    const { client } = await setUp([() => {}], { timeoutMs: 50, maxAttempts: 1 });
    await expect(client.health()).rejects.toMatchObject({ code: 'timeout', retryable: true });
  });

  test('that bring no JSON, or no job, throw unexpected_response', async () => {
    const { client } = await setUp([
      (response) => response.end('<html>'),
      json(200, { status: 'COMPLETED' }),
      json(200, { id: 'a', status: 'DANCING' }),
    ]);
    for (let call = 0; call < 3; call += 1) {
      await expect(client.status('a')).rejects.toMatchObject({ code: 'unexpected_response' });
    }
  });
});

describe('run', () => {
  test('is not repeated when the reply was lost: the job may be queued already', async () => {
    for (const failure of [cut, json(500, {}), json(503, {})]) {
      const { client, requests } = await setUp([failure, queued]);
      await expect(client.run({})).rejects.toBeInstanceOf(RunpodError);
      expect(requests).toHaveLength(1);
    }
  });

  test('is repeated after 429, which is given before anything is queued', async () => {
    const { client, requests } = await setUp([json(429, {}), queued]);
    expect(await client.run({})).toMatchObject({ id: 'a-e1' });
    expect(requests).toHaveLength(2);
  });

  test('is repeated when the connection is refused, until something listens', async () => {
    const server = createServer((_, response) => queued(response)).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    server.close();
    await once(server, 'close');
    // The first refusal makes the server come back.
    const warn = vi.fn(() => server.listening || server.listen(port, '127.0.0.1'));
    closers.push(() => server.close());
    const client = createRunpodClient({
      baseUrl: `http://127.0.0.1:${port}/v2`,
      endpointId: 'ep',
      apiKey: 'k',
      backoff: { baseMs: 100, maxMs: 100 },
      logger: { debug: () => {}, info: () => {}, warn, error: () => {} },
    });
    expect(await client.run({})).toMatchObject({ id: 'a-e1' });
    expect(warn).toHaveBeenCalled();
  });
});

describe('what must not be done twice', () => {
  const calls: [string, (client: RunpodClient) => Promise<unknown>, unknown][] = [
    ['retry', (client) => client.retry('a-e1'), { id: 'a-e1', status: 'IN_QUEUE' }],
    [
      'a poll of stream',
      (client) => client.stream('a-e1').next(),
      { status: 'IN_PROGRESS', stream: [{ output: 1 }] },
    ],
  ];

  test.each(calls)('%s is repeated after 429 only', async (_, call, body) => {
    const reply = json(200, body);
    const { client, requests } = await setUp([json(429, {}), reply]);
    await call(client);
    expect(requests).toHaveLength(2);
    for (const failure of [cut, json(503, {})]) {
      const lost = await setUp([failure, reply]);
      await expect(call(lost.client)).rejects.toMatchObject({ retryable: true });
      expect(lost.requests).toHaveLength(1);
    }
  });
});

test('purgeQueue, whose effect is the same twice, is repeated after any transient failure', async () => {
  const { client, requests } = await setUp([cut, json(503, {}), json(200, { removed: 0 })]);
  expect(await client.purgeQueue()).toBe(0);
  expect(requests).toHaveLength(3);
});

test('a wait that Retry-After asks for is kept, and cut short by the signal', async () => {
  const clock = createManualClock();
  const notNow = (response: ServerResponse) => response.writeHead(429, { 'retry-after': '7' }).end('{}');
  const waits: unknown[] = [];
  const logger = {
    debug() {},
    info() {},
    warn: ({ delayMs }: { delayMs?: unknown }) => waits.push(delayMs),
    error() {},
  };
  const { client, requests } = await setUp([notNow, queued, notNow], { clock, logger });
  const call = client.run(1);
  await vi.waitFor(() => expect(waits).toEqual([7_000]));
  clock.advance(6_999);
  await new Promise(setImmediate);
  expect(requests).toHaveLength(1);
  clock.advance(1);
  expect(await call).toMatchObject({ id: 'a-e1' });
  const abort = new AbortController();
  const aborted = client.run(2, { signal: abort.signal });
  await vi.waitFor(() => expect(waits).toHaveLength(2));
  abort.abort();
  await expect(aborted).rejects.toMatchObject({ code: 'aborted' });
  expect(requests).toHaveLength(3);
});

describe('what RunPod would refuse is refused by name before it is sent', () => {
  const circular: { self?: unknown } = {};
  circular.self = circular;
  const cases: [string, (client: RunpodClient) => Promise<unknown>, string, string][] = [
    ['an input above 10 MB', (client) => client.run('x'.repeat(10_000_000)), 'payload_too_large', '10000012'],
    [
      'an input above 20 MB for runSync',
      (client) => client.runSync('é'.repeat(10_000_000)),
      'payload_too_large',
      '20000012',
    ],
    ['no input', (client) => client.run(undefined), 'option_invalid', 'input should be'],
    ['null', (client) => client.run(null), 'option_invalid', 'input should be'],
    ['an input that is no JSON', (client) => client.run(circular), 'option_invalid', 'input should be JSON'],
    ['a big integer', (client) => client.run(1n), 'option_invalid', 'input should be JSON'],
    ['a relative webhook', (client) => client.run(1, { webhook: '/h' }), 'option_invalid', 'webhook'],
    [
      'a ttl of a second',
      (client) => client.run(1, { policy: { ttl: 1_000 } }),
      'option_invalid',
      'policy.ttl should be 10000 to 604800000 ms, but is 1000',
    ],
    [
      'a run of eight days',
      (client) => client.run(1, { policy: { executionTimeout: 8 * 86_400_000 } }),
      'option_invalid',
      'policy.executionTimeout',
    ],
    [
      'a wait that is too long',
      (client) => client.runSync(1, { waitMs: 300_001 }),
      'option_invalid',
      'waitMs',
    ],
    [
      'a wait that is too short',
      (client) => client.statusSync('a', { waitMs: 999 }),
      'option_invalid',
      'waitMs',
    ],
  ];
  test.each(cases)('%s', async (_, call, code, message) => {
    const { client, requests } = await setUp([queued]);
    await expect(call(client)).rejects.toMatchObject({
      code,
      retryable: false,
      message: expect.stringContaining(message),
    });
    expect(requests).toHaveLength(0);
  });
});

describe('waiting for the end', () => {
  const running = json(200, { id: 'a', status: 'IN_PROGRESS' });

  test.each(['COMPLETED', 'FAILED', 'CANCELLED', 'TIMED_OUT'])('gives a job that ends %s', async (status) => {
    const { client, requests } = await setUp([queued, json(200, { id: 'a', status })]);
    expect(await client.runSync(1, { untilEnd: true, waitMs: 1_000 })).toMatchObject({ status });
    expect(requests.map(({ line }) => line)).toEqual([
      'POST /v2/ep/runsync?wait=1000',
      'GET /v2/ep/status-sync/a-e1',
    ]);
  });

  test('without untilEnd is left to the caller when the wait on the server ends first', async () => {
    const { client, requests } = await setUp([queued]);
    expect(await client.runSync(1)).toEqual({ id: 'a-e1', status: 'IN_QUEUE' });
    expect(requests).toHaveLength(1);
  });

  test('polls status where status-sync is refused, and says not_found for a job that nobody knows', async () => {
    const { client, requests } = await setUp([
      json(404, {}),
      running,
      json(503, {}),
      json(200, { id: 'a', status: 'COMPLETED', output: 1 }),
      json(404, {}),
    ]);
    expect(await client.waitForEnd('a', { pollIntervalMs: 1 })).toMatchObject({ output: 1 });
    expect(requests.map(({ line }) => line.split('/')[3])).toEqual([
      'status-sync',
      'status',
      'status',
      'status',
    ]);
    await expect(client.waitForEnd('a')).rejects.toMatchObject({ code: 'not_found' });
  });

  test('does not ask in a busy loop when the server does not wait, and ends with its signal', async () => {
    const clock = createManualClock();
    const { client, requests } = await setUp([running], { clock });
    const abort = new AbortController();
    const end = client.waitForEnd('a', { signal: abort.signal });
    await vi.waitFor(() => expect(requests).toHaveLength(1));
    clock.advance(999);
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(requests).toHaveLength(1);
    await vi.waitFor(() => {
      clock.advance(1_000);
      expect(requests.length).toBeGreaterThan(1);
    });
    abort.abort();
    await expect(end).rejects.toMatchObject({ code: 'aborted' });
  });
});

describe('stream', () => {
  const poll = (status: string, ...outputs: unknown[]) =>
    json(200, { status, stream: outputs.map((output) => ({ output })) });
  const completed = json(200, { id: 'a', status: 'COMPLETED' });

  async function collect(client: RunpodClient, signal?: AbortSignal): Promise<unknown[]> {
    const chunks = [];
    for await (const chunk of client.stream('a', { pollIntervalMs: 1, signal })) chunks.push(chunk);
    return chunks;
  }

  test('polls until a poll after the end brings nothing more', async () => {
    const { client, requests } = await setUp([
      poll('IN_QUEUE'),
      poll('IN_PROGRESS', 1, 2),
      poll('COMPLETED', 3),
      poll('COMPLETED', 4),
      poll('COMPLETED'),
      completed,
    ]);
    expect(await collect(client)).toEqual([1, 2, 3, 4]);
    expect(requests.map(({ line }) => line)).toEqual([
      ...Array.from({ length: 5 }, () => 'GET /v2/ep/stream/a'),
      'GET /v2/ep/status/a',
    ]);
  });

  test('reads the bare array of the documentation, and asks for the status itself', async () => {
    const { client } = await setUp([
      json(200, [{ output: 1, metrics: {} }]),
      json(200, { id: 'a', status: 'IN_PROGRESS' }),
      json(200, [{ output: 2 }]),
      completed,
      json(200, []),
      completed,
    ]);
    expect(await collect(client)).toEqual([1, 2]);
  });

  test('ends at once when its reader leaves, and with aborted when its caller aborts', async () => {
    const { client, requests } = await setUp([poll('IN_PROGRESS', 1)]);
    for await (const chunk of client.stream('a')) {
      expect(chunk).toBe(1);
      break;
    }
    expect(requests).toHaveLength(1);
    const abort = new AbortController();
    const chunks = client.stream('a', { pollIntervalMs: 1e9, signal: abort.signal });
    await chunks.next();
    const next = chunks.next();
    abort.abort();
    await expect(next).rejects.toMatchObject({ code: 'aborted' });
    expect(requests).toHaveLength(2);
  });

  test.each([
    ['no status', { stream: [] }],
    ['a stream that is no array', { status: 'IN_PROGRESS', stream: 'text' }],
    ['an entry without output', { status: 'IN_PROGRESS', stream: [{ output: 1 }, {}] }],
  ])('that brings %s throws unexpected_response', async (_, body) => {
    const { client } = await setUp([json(200, body)]);
    await expect(collect(client)).rejects.toMatchObject({ code: 'unexpected_response' });
  });
});

test('a reply to purgeQueue without a count throws unexpected_response', async () => {
  const { client } = await setUp([json(200, { status: 'completed' })]);
  await expect(client.purgeQueue()).rejects.toMatchObject({ code: 'unexpected_response' });
});

describe('reading replies', () => {
  test('keeps what is known, drops what is odd, and takes RUNNING for IN_PROGRESS', () => {
    const body = {
      id: 'a',
      status: 'RUNNING',
      delayTime: 'soon',
      executionTime: 5,
      error: { a: 1 },
      extra: true,
    };
    expect(readEnvelope(body)).toEqual({
      id: 'a',
      status: 'IN_PROGRESS',
      executionTime: 5,
      error: '{"a":1}',
    });
    expect(readHealth({ jobs: { inQueue: 2 } })).toMatchObject({
      jobs: { inQueue: 2, failed: 0 },
      workers: { idle: 0 },
    });
  });

  test('never throws anything but unexpected_response, whatever the body', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (body) => {
        readHealth(body);
        try {
          readEnvelope(body);
        } catch (thrown) {
          expect(thrown).toMatchObject({ code: 'unexpected_response' });
        }
      }),
    );
  });

  test("finds the code in our workers' errors, the message in Python's, and takes plain text as it is", () => {
    expect(parseJobError('{"code":"x","error_message":"m","retryable":true}')).toEqual({
      code: 'x',
      message: 'm',
      retryable: true,
    });
    expect(parseJobError('{"error_type":"<class \'E\'>","error_message":"m"}')).toMatchObject({
      code: 'unknown',
      message: 'm',
    });
    expect(parseJobError('out of luck')).toEqual({
      code: 'unknown',
      message: 'out of luck',
      retryable: false,
    });
    expect(parseJobError(undefined)).toEqual({ code: 'unknown', message: '', retryable: false });
  });
});

test('a client without key, endpoint or base URL is refused by name', () => {
  const good = { endpointId: 'ep', apiKey: 'k' };
  expect(() => createRunpodClient({ ...good, apiKey: '' })).toThrow(
    'apiKey should be an API key, but is empty',
  );
  expect(() => createRunpodClient({ ...good, endpointId: '' })).toThrow('endpointId');
  expect(() => createRunpodClient({ ...good, baseUrl: 'api' })).toThrow('baseUrl should be an absolute URL');
});
