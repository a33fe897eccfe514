/** Which calls a script chooses, and what each fault does to a call on a real socket. */
import { afterEach, describe, expect, test, vi } from 'vitest';
import { silentLogger } from '../logger.ts';
import { startWorker } from '../worker/index.ts';
import { settingsFrom } from '../worker/settings.ts';
import { createFaultInjector, type Fault, type FaultRule, type FaultyCall } from './fault-script.ts';
import { createManualClock, type LocalRunpodOptions, type ManualClock, startLocalRunpod } from './index.ts';

const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

async function setUp(rules: FaultRule[], options: Partial<LocalRunpodOptions> = {}) {
  const clock = createManualClock();
  const befallen: unknown[] = [];
  const info = ({ fault }: Record<string, unknown>) => {
    if (fault !== undefined) befallen.push(fault);
  };
  const local = await startLocalRunpod({
    endpointId: 'ep',
    apiKey: 'k',
    clock,
    faults: { rules },
    logger: { ...silentLogger, info },
    ...options,
  });
  closers.push(() => local.close());
  async function call(path: string, body?: object) {
    const response = await fetch(`${local.baseUrl}/ep${path}`, {
      method: body === undefined ? 'GET' : 'POST',
      headers: { authorization: 'k' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    return {
      status: response.status,
      headers: response.headers,
      body: text === '' ? undefined : JSON.parse(text),
    };
  }
  const submit = async (): Promise<string> => (await call('/run', { input: 1 })).body.id;
  const queued = async (): Promise<number> => (await call('/health')).body.jobs.inQueue;
  /** Waits until a fault has begun. */
  const fault = () => eventually(() => expect(befallen).not.toHaveLength(0));
  return { local, clock, call, submit, queued, fault };
}

/** `check` until it passes; generous, because the machine may be busy. */
function eventually<T>(check: () => Promise<T> | T): Promise<T> {
  return vi.waitFor(check, { timeout: 15_000, interval: 5 });
}

/** Lets what is under way on sockets arrive; only for showing that something has not happened. */
const settle = () => new Promise((resolve) => setTimeout(resolve, 20));

describe('a script', () => {
  const fault: Fault = { kind: 'drop' };
  function choices(rules: FaultRule[], calls: FaultyCall[], seed?: number): string {
    const injector = createFaultInjector({ rules, seed }, createManualClock());
    return calls.map((call) => (injector.choose(call) ? 'x' : '.')).join('');
  }
  const pings = (count: number) => Array.from({ length: count }, () => ({ call: 'ping' }) as const);

  test('chooses the calls that it numbers, counted over the calls that the rule is about', () => {
    expect(choices([{ call: 'ping', nth: 2, fault }], pings(4))).toBe('.x..');
    expect(choices([{ call: 'ping', nth: [1, 4], fault }], pings(4))).toBe('x..x');
    expect(choices([{ call: ['ping', 'run'], nth: 2, fault }], [{ call: 'run' }, { call: 'ping' }])).toBe(
      '.x',
    );
    const calls: FaultyCall[] = [
      { call: 'job-done', workerId: 'w1', jobId: 'a' },
      { call: 'job-done', workerId: 'w2', jobId: 'a' },
      { call: 'job-done', workerId: 'w2', jobId: 'b' },
    ];
    expect(choices([{ call: 'job-done', workerId: 'w2', nth: 1, fault }], calls)).toBe('.x.');
    expect(choices([{ call: 'job-done', jobId: 'a', fault }], calls)).toBe('xx.');
  });

  test('chooses by chance as its seed says, a rule untouched by the others, up to its limit', () => {
    const rule: FaultRule = { call: 'ping', probability: 0.5, fault };
    const story = choices([rule], pings(200), 3);
    expect(choices([rule], pings(200), 3)).toBe(story);
    expect(choices([rule], pings(200), 4)).not.toBe(story);
    expect(story.split('x').length).toBeGreaterThan(60);
    expect(story.split('x').length).toBeLessThan(140);
    expect(choices([rule, { call: 'ping', probability: 0, fault }], pings(200), 3)).toBe(story);
    expect(choices([{ ...rule, limit: 2 }], pings(200), 3).split('x')).toHaveLength(3);
    expect(choices([{ call: 'ping', probability: 0, fault }], pings(50))).not.toContain('x');
    expect(choices([{ call: 'ping', probability: 1, fault }], pings(50))).not.toContain('.');
  });

  test.each<[Partial<FaultRule>, string]>([
    [{ probability: 1.5 }, 'faults.rules[0]: probability should be 0 to 1, but is 1.5.'],
    [{ nth: 0 }, 'nth should be a whole number from 1'],
    [{ nth: 1, probability: 1 }, 'exclude each other'],
    [{ fault: { kind: 'delay', delayMs: -1 } }, 'delayMs should be 0 or more'],
    [{ fault: { kind: 'answer', status: 200 } }, 'status should be 400 to 599'],
  ])('with %j is refused by name', async (rule, message) => {
    const started = startLocalRunpod({
      endpointId: 'ep',
      apiKey: 'k',
      faults: { rules: [{ call: 'run', fault, ...rule }] },
    });
    await expect(started).rejects.toMatchObject({ code: 'option_invalid' });
    await expect(started).rejects.toThrow(message);
  });
});

describe('on a socket', () => {
  test('a dropped call is neither done nor answered, and the next one is', async () => {
    const { submit, call, queued, local, fault } = await setUp([
      { call: 'run', nth: 1, fault: { kind: 'drop' } },
    ]);
    const dropped = call('/run', { input: 1 }).catch(() => 'cut by the end');
    await fault();
    await submit();
    expect(await queued()).toBe(1);
    await local.close();
    expect(await dropped).toBe('cut by the end');
  });

  test.each<['before' | 'middle' | 'after', number]>([
    ['before', 0],
    ['middle', 1],
    ['after', 1],
  ])('a run that is cut %s leaves %i jobs in the queue', async (when, jobs) => {
    const { call, queued } = await setUp([{ call: 'run', nth: 1, fault: { kind: 'cut', when } }]);
    await expect(call('/run', { input: 1 })).rejects.toThrow();
    expect(await queued()).toBe(jobs);
  });

  test('a delayed request is done later, a delayed reply is answered later', async () => {
    const { call, queued, clock, fault } = await setUp([
      { call: 'run', nth: 1, fault: { kind: 'delay', delayMs: 3_000 } },
      { call: 'run', nth: 2, fault: { kind: 'delay', delayMs: 3_000, of: 'reply' } },
    ]);
    let answered = 0;
    const first = call('/run', { input: 1 }).then(() => (answered += 1));
    await fault();
    expect(await queued()).toBe(0);
    await advanceUntil(clock, first);
    expect(await queued()).toBe(1);
    const second = call('/run', { input: 1 }).then(() => (answered += 1));
    await eventually(async () => expect(await queued()).toBe(2));
    expect(answered).toBe(1);
    await advanceUntil(clock, second);
  });

  test('a duplicated run makes two jobs and is answered once', async () => {
    const { submit, queued } = await setUp([{ call: 'run', nth: 1, fault: { kind: 'duplicate' } }]);
    await submit();
    await eventually(async () => expect(await queued()).toBe(2));
  });

  test('a reordered post of progress arrives after the next one', async () => {
    const { submit, call, fault } = await setUp([{ call: 'progress', nth: 1, fault: { kind: 'reorder' } }]);
    const id = await submit();
    await call('/job-take/w1');
    const report = (step: number) => call(`/job-done/w1/${id}`, { status: 'IN_PROGRESS', output: step });
    const first = report(1);
    await fault();
    await report(2);
    await first;
    expect((await call(`/status/${id}`)).body.output).toBe(1);
  });

  test('progress that arrives after the result changes nothing', async () => {
    const { submit, call, clock, fault } = await setUp([
      { call: 'progress', fault: { kind: 'delay', delayMs: 2_000 } },
    ]);
    const id = await submit();
    await call('/job-take/w1');
    const late = call(`/job-done/w1/${id}`, { status: 'IN_PROGRESS', output: 'late' });
    await fault();
    await call(`/job-done/w1/${id}`, { output: 'result' });
    await advanceUntil(clock, late);
    expect((await late).body).toEqual({ ignored: true });
    expect((await call(`/status/${id}`)).body).toMatchObject({ status: 'COMPLETED', output: 'result' });
  });

  test('a refused call says when to come back', async () => {
    const { call } = await setUp([
      { call: 'job-take', nth: 1, fault: { kind: 'answer', status: 429, retryAfterSeconds: 3 } },
    ]);
    const refused = await call('/job-take-batch/w1?batch_size=2');
    expect(refused.status).toBe(429);
    expect(refused.headers.get('retry-after')).toBe('3');
    expect(refused.body.error).toContain('429');
  });

  test('a take that breaks in the middle gives its job back; one that breaks unseen gives it back when it is not named', async () => {
    const { submit, call, clock } = await setUp([
      { call: 'job-take', nth: 1, fault: { kind: 'cut', when: 'middle' } },
      { call: 'job-take', nth: 2, fault: { kind: 'cut', when: 'after' } },
    ]);
    const id = await submit();
    const status = async () => (await call(`/status/${id}`)).body;
    await expect(call('/job-take/w1')).rejects.toThrow();
    expect(await status()).toEqual(expect.objectContaining({ status: 'IN_QUEUE' }));
    await expect(call('/job-take/w1')).rejects.toThrow();
    expect(await status()).toMatchObject({ status: 'IN_PROGRESS', workerId: 'w1' });
    for (let passedMs = 0; passedMs < 15_000; passedMs += 1_000) {
      clock.advance(1_000);
      await call('/ping/w1');
    }
    expect(await status()).toMatchObject({ status: 'IN_QUEUE' });
    expect((await call('/job-take/w2')).body.id).toBe(id);
    expect(await status()).toMatchObject({ status: 'IN_PROGRESS', retries: 1 });
  });

  test('our worker brings its jobs to one end each through cuts, refusals and copies', async () => {
    const rules: FaultRule[] = [
      { call: 'job-take', nth: 1, fault: { kind: 'answer', status: 429, retryAfterSeconds: 0 } },
      { call: 'job-take', nth: 2, fault: { kind: 'cut', when: 'middle' } },
      { call: 'job-done', nth: 1, fault: { kind: 'cut', when: 'after' } },
      { call: 'job-done', nth: 3, fault: { kind: 'answer', status: 503 } },
      { call: 'job-done', nth: 5, fault: { kind: 'duplicate' } },
    ];
    const { local, submit, call } = await setUp(rules, { clock: undefined });
    const ids = [await submit(), await submit(), await submit()];
    let runs = 0;
    const worker = startWorker({
      settings: settingsFrom(local.workerEnvironment('w1')),
      random: () => 0,
      handler: async () => {
        runs += 1;
        return { run: runs };
      },
    });
    closers.push(() => worker.shutdown({ deadlineMs: 0 }));
    await eventually(async () => expect((await call('/health')).body.jobs.completed).toBe(3));
    const outputs = await Promise.all(ids.map(async (id) => (await call(`/status/${id}`)).body.output));
    expect(outputs).toEqual([{ run: 1 }, { run: 2 }, { run: 3 }]);
    expect((await call('/health')).body.jobs).toEqual({
      completed: 3,
      failed: 0,
      inProgress: 0,
      inQueue: 0,
      retried: 0,
    });
  });
});

describe('a webhook', () => {
  test.each<[Fault, number]>([
    [{ kind: 'cut', when: 'before' }, 1],
    [{ kind: 'cut', when: 'after' }, 2],
    [{ kind: 'drop' }, 1],
    [{ kind: 'answer', status: 500 }, 1],
    [{ kind: 'duplicate' }, 2],
    [{ kind: 'delay', delayMs: 5_000 }, 1],
    [{ kind: 'reorder' }, 1],
  ])('befallen by %j on its first call arrives %i times', async (fault, arrivals) => {
    const { createServer } = await import('node:http');
    let calls = 0;
    const receiver = createServer((request, response) => {
      calls += 1;
      request.resume().on('end', () => response.end());
    }).listen(0, '127.0.0.1');
    await new Promise((resolve) => receiver.once('listening', resolve));
    closers.push(() => receiver.close());
    const address = receiver.address();
    const port = typeof address === 'object' ? address?.port : 0;
    // Calls are made in real time while the clock runs ahead: only a dropped one may run out of its own.
    const timeoutMs = 10_000_000;
    const stand = await setUp([{ call: 'webhook', nth: 1, fault }], {
      timings: { webhookTimeoutMs: timeoutMs },
    });
    const { call, clock } = stand;
    const { id } = (await call('/run', { input: 1, webhook: `http://127.0.0.1:${port}/hook` })).body;
    await call(`/cancel/${id}`, {});
    await stand.fault();
    if (fault.kind === 'drop') clock.advance(timeoutMs);
    await eventually(() => {
      clock.advance(1_000);
      expect(calls).toBe(arrivals);
    });
    for (let step = 0; step < 3; step += 1) {
      await settle();
      clock.advance(20_000);
    }
    expect(calls).toBe(arrivals);
  });
});

/** Moves the clock in small steps until `promise` settles: what it waits for may not have been asked for yet. */
async function advanceUntil(clock: ManualClock, promise: Promise<unknown>): Promise<void> {
  let isSettled = false;
  void promise.finally(() => {
    isSettled = true;
  });
  await eventually(() => {
    clock.advance(500);
    expect(isSettled).toBe(true);
  });
}
