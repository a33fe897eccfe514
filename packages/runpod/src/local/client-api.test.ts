/** The local RunPod's endpoint API as a stranger meets it: keys, refusals, waits, webhooks. */
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { json } from 'node:stream/consumers';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { createManualClock, type LocalRunpod, type LocalRunpodOptions, startLocalRunpod } from './index.ts';

const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

async function setUp(options: Partial<LocalRunpodOptions> = {}) {
  const local = await startLocalRunpod({ endpointId: 'ep', apiKey: 'rpa_KEY', ...options });
  closers.push(() => local.close());
  return local;
}

/** `check` until it passes; generous, because the machine may be busy. */
function eventually<T>(check: () => Promise<T> | T): Promise<T> {
  return vi.waitFor(check, { timeout: 15_000, interval: 10 });
}

/** Any call with the key, bare as workers send it. */
async function call(local: LocalRunpod, method: string, path: string, body?: unknown, signal?: AbortSignal) {
  const response = await fetch(`${local.baseUrl}/ep${path}`, {
    method,
    headers: { authorization: 'rpa_KEY' },
    ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    ...(signal ? { signal } : {}),
  });
  const text = await response.text();
  return { status: response.status, body: text === '' ? undefined : JSON.parse(text) };
}

async function submit(local: LocalRunpod, extra = {}): Promise<string> {
  return (await call(local, 'POST', '/run', { input: 1, ...extra })).body.id;
}

describe('refusals', () => {
  test('the key is taken bare or as a bearer token, and nothing without it', async () => {
    const local = await setUp();
    const statusWith = async (authorization: string | undefined) =>
      (await fetch(`${local.baseUrl}/ep/health`, { headers: authorization ? { authorization } : {} })).status;
    expect(await statusWith('rpa_KEY')).toBe(200);
    expect(await statusWith('Bearer rpa_KEY')).toBe(200);
    expect(await statusWith('Bearer rpa_KEX')).toBe(401);
    expect(await statusWith(undefined)).toBe(401);
  });

  test('unknown endpoints, jobs and paths are 404', async () => {
    const local = await setUp();
    const other = await fetch(`${local.baseUrl}/other/health`, { headers: { authorization: 'rpa_KEY' } });
    expect(other.status).toBe(404);
    expect((await call(local, 'GET', '/status/none')).status).toBe(404);
    expect((await call(local, 'POST', '/cancel/none')).status).toBe(404);
    expect((await call(local, 'POST', '/retry/none')).status).toBe(404);
    expect((await call(local, 'GET', '/status-sync/none')).status).toBe(404);
    expect((await call(local, 'GET', '/stream/none')).status).toBe(404);
    expect((await call(local, 'GET', '/dance')).status).toBe(404);
    expect((await call(local, 'GET', '/run')).status).toBe(404);
  });

  test.each([
    ['no JSON', 'nonsense', 'JSON object'],
    ['no input', { inputs: 1 }, '"input"'],
    ['a webhook that is no URL', { input: 1, webhook: 'here' }, 'webhook should be a URL'],
    ['a ttl too short', { input: 1, policy: { ttl: 5 } }, 'policy.ttl should be 10000 to'],
    [
      'a priority that is none',
      { input: 1, policy: { lowPriority: 1 } },
      'policy.lowPriority should be a boolean',
    ],
    ['a policy that is none', { input: 1, policy: 7 }, 'policy should be an object'],
    ['more than 10 MB', { input: 'x'.repeat(10_000_000) }, '10000000 bytes at most'],
  ])('a body with %s is 400 and says so', async (_, body, message) => {
    const local = await setUp();
    const refused = await call(local, 'POST', '/run', body);
    expect(refused.status).toBe(400);
    expect(refused.body.error).toContain(message);
    expect((await call(local, 'GET', '/health')).body.jobs.inQueue).toBe(0);
  });

  test.each(['999', '300001', 'long'])('a wait of %s is 400', async (wait) => {
    const refused = await call(await setUp(), 'POST', `/runsync?wait=${wait}`, { input: 1 });
    expect(refused.status).toBe(400);
    expect(refused.body.error).toContain('wait should be 1000 to 300000 ms');
  });

  test('what RunPod has and this has not is 501', async () => {
    const local = await setUp();
    expect((await call(local, 'GET', '/requests')).status).toBe(501);
    expect((await call(local, 'POST', '/batch')).status).toBe(501);
  });

  test('a port that is taken is named', async () => {
    const local = await setUp();
    const second = startLocalRunpod({ endpointId: 'ep', apiKey: 'k', port: local.port });
    await expect(second).rejects.toMatchObject({ code: 'port_unavailable' });
    await expect(second).rejects.toThrow(`127.0.0.1:${local.port}`);
  });
});

describe('runsync', () => {
  test('answers with id and state when its wait ends first, and the job goes on', async () => {
    const clock = createManualClock();
    const local = await setUp({ clock });
    const waiting = call(local, 'POST', '/runsync?wait=5000', { input: 1 });
    await eventually(async () => expect((await call(local, 'GET', '/health')).body.jobs.inQueue).toBe(1));
    clock.advance(5_000);
    const { body } = await waiting;
    expect(body).toEqual({ id: expect.stringMatching(/^sync-.+-e1$/), status: 'IN_QUEUE' });
    expect((await call(local, 'GET', `/status/${body.id}`)).body.status).toBe('IN_QUEUE');
  });
});

describe('status-sync', () => {
  test('answers as soon as the job ends', async () => {
    const local = await setUp();
    const id = await submit(local);
    const waiting = call(local, 'GET', `/status-sync/${id}`);
    await call(local, 'GET', '/job-take/w1');
    await call(local, 'POST', `/job-done/w1/${id}`, { output: 'o' });
    expect((await waiting).body).toMatchObject({ id, status: 'COMPLETED', output: 'o', workerId: 'w1' });
  });

  test('answers with the state of the moment when its wait ends first', async () => {
    const clock = createManualClock();
    const local = await setUp({ clock });
    const id = await submit(local);
    const waiting = call(local, 'GET', `/status-sync/${id}?wait=1000`);
    // The clock moves once the call is held: a reply before that could only be a refusal.
    const reply = eventually(async () => {
      clock.advance(1_000);
      return Promise.race([waiting, new Promise<never>((_, reject) => setTimeout(reject, 20))]);
    });
    expect(await reply).toEqual({ status: 200, body: { id, status: 'IN_QUEUE' } });
  });

  test.each(['999', '90001', 'long'])('with a wait of %s is 400', async (wait) => {
    const local = await setUp();
    const refused = await call(local, 'GET', `/status-sync/${await submit(local)}?wait=${wait}`);
    expect(refused.status).toBe(400);
    expect(refused.body.error).toContain('wait should be 1000 to 90000 ms');
  });
});

describe('worker calls', () => {
  test('a held take gets the job that comes, with what travels with it', async () => {
    const local = await setUp();
    const take = call(local, 'GET', '/job-take/w1?gpu=local&job_in_progress=0');
    const id = await submit(local, {
      webhook: 'http://127.0.0.1:9/',
      s3Config: { bucketName: 'b' },
      other: 1,
    });
    expect((await take).body).toEqual({
      id,
      input: 1,
      webhook: 'http://127.0.0.1:9/',
      s3Config: { bucketName: 'b' },
    });
    expect((await call(local, 'GET', `/status/${id}`)).body).toMatchObject({
      status: 'IN_PROGRESS',
      workerId: 'w1',
    });
  });

  test('a poller that left swallows no job', async () => {
    const local = await setUp();
    const left = new AbortController();
    const poll = call(local, 'GET', '/job-take/w1', undefined, left.signal).catch(() => 'left');
    await eventually(async () => expect((await call(local, 'GET', '/health')).body.workers.ready).toBe(1));
    left.abort();
    expect(await poll).toBe('left');
    const id = await submit(local);
    const taken = await call(local, 'GET', '/job-take/w2');
    expect(taken.body.id).toBe(id);
    expect((await call(local, 'GET', `/status/${id}`)).body.retries).toBeUndefined();
  });

  test('an empty take is 204 after its hold, a batch take gets an array', async () => {
    const clock = createManualClock();
    const local = await setUp({ clock });
    const take = call(local, 'GET', '/job-take/w1');
    await eventually(async () => expect((await call(local, 'GET', '/health')).body.workers.ready).toBe(1));
    clock.advance(20_000);
    expect(await take).toEqual({ status: 204, body: undefined });
    const ids = [await submit(local), await submit(local), await submit(local)];
    const batch = await call(local, 'GET', '/job-take-batch/w1?batch_size=2');
    expect(batch.body.map(({ id }: { id: string }) => id)).toEqual(ids.slice(0, 2));
  });

  test('progress shows as output until the result, and a result after a cancel changes nothing', async () => {
    const local = await setUp();
    const id = await submit(local);
    await call(local, 'GET', '/job-take/w1');
    await call(local, 'POST', `/job-done/w1/${id}`, { status: 'IN_PROGRESS', output: { step: 1 } });
    expect((await call(local, 'GET', `/status/${id}`)).body).toMatchObject({
      status: 'IN_PROGRESS',
      output: { step: 1 },
    });
    const stop = call(local, 'GET', '/job-stop/w1');
    await call(local, 'POST', `/cancel/${id}`);
    expect((await stop).body).toEqual({ jobsToStop: [id] });
    const late = await call(local, 'POST', `/job-done/w1/${id}`, { output: 'late' });
    expect(late).toEqual({ status: 200, body: { ignored: true } });
    const { body } = await call(local, 'GET', `/status/${id}`);
    expect(body.status).toBe('CANCELLED');
    expect(body.output).toBeUndefined();
  });

  test('an error that is no string, and a result too large, lose the output as the platform does', async () => {
    const local = await setUp();
    const id = await submit(local);
    await call(local, 'GET', '/job-take/w1');
    await call(local, 'POST', `/job-done/w1/${id}`, { error: { a: 1 }, output: 2 });
    const ended = (await call(local, 'GET', `/status/${id}`)).body;
    expect(ended).toMatchObject({ status: 'COMPLETED' });
    expect(ended).not.toHaveProperty('output');
    const large = await submit(local);
    await call(local, 'GET', '/job-take/w1');
    const refused = await call(local, 'POST', `/job-done/w1/${large}`, { output: 'x'.repeat(10_000_000) });
    expect(refused.status).toBe(400);
    expect((await call(local, 'GET', `/status/${large}`)).body).toMatchObject({ status: 'COMPLETED' });
  });
});

describe('the webhook', () => {
  async function setUpWebhook(statuses: number[]) {
    const bodies: unknown[] = [];
    const receiver = createServer(async (request, response) => {
      bodies.push(await json(request));
      response.writeHead(statuses.shift() ?? 200).end();
    }).listen(0, '127.0.0.1');
    await once(receiver, 'listening');
    closers.push(() => receiver.close());
    return { bodies, url: `http://127.0.0.1:${(receiver.address() as AddressInfo).port}/hook?token=t` };
  }

  test('is told each terminal state with the body of /status', async () => {
    const { bodies, url } = await setUpWebhook([]);
    const local = await setUp();
    const cancelled = await submit(local, { webhook: url });
    await call(local, 'POST', `/cancel/${cancelled}`);
    const done = await submit(local, { webhook: url });
    await call(local, 'GET', '/job-take/w1');
    await call(local, 'POST', `/job-done/w1/${done}`, { output: 'o' });
    await eventually(() => expect(bodies).toHaveLength(2));
    expect(bodies).toContainEqual((await call(local, 'GET', `/status/${cancelled}`)).body);
    expect(bodies).toContainEqual((await call(local, 'GET', `/status/${done}`)).body);
  });

  test('is called again ten seconds later when it does not answer 200, three times at most', async () => {
    const { bodies, url } = await setUpWebhook([500, 204, 500, 200]);
    const clock = createManualClock();
    const local = await setUp({ clock });
    await call(local, 'POST', `/cancel/${await submit(local, { webhook: url })}`);
    for (let calls = 1; calls <= 3; calls += 1) {
      await eventually(() => expect(bodies).toHaveLength(calls));
      await new Promise((resolve) => setTimeout(resolve, 50));
      clock.advance(9_999);
      await new Promise((resolve) => setTimeout(resolve, 50));
      expect(bodies).toHaveLength(calls);
      clock.advance(1);
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(bodies).toHaveLength(3);
  });
});
