/** The client against servers that answer, refuse, hang and cut. */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import fc from 'fast-check';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { createRunpodClient, parseJobError, type RunpodClientOptions, RunpodError } from './index.ts';
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
      { webhook: 'https://x.test/h', policy: { executionTimeout: 5_000, ttl: undefined } },
    );
    await client.runSync({ prompt: 'p' }, { waitMs: 1_000 });
    await client.status('a/b');
    await client.cancel('a-e1');
    await client.health();
    expect(requests.map(({ line }) => line)).toEqual([
      'POST /v2/ep/run',
      'POST /v2/ep/runsync?wait=1000',
      'GET /v2/ep/status/a%2Fb',
      'POST /v2/ep/cancel/a-e1',
      'GET /v2/ep/health',
    ]);
    expect(JSON.parse(requests[0]?.body ?? '')).toEqual({
      input: { prompt: 'p' },
      webhook: 'https://x.test/h',
      policy: { executionTimeout: 5_000 },
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
