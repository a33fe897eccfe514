/** What RunPod's Python SDK (1.12) is known to do wrong, one test each, against a real local RunPod. */
import type { ServerResponse } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { startLocalBench } from '../../testing/local-bench.ts';
import { eventually, gate, jobs, reply, setUp } from '../../testing/scripted-platform.ts';
import { parseJobError } from '../client/index.ts';
import { createManualClock } from '../local/index.ts';
import type { Job } from './index.ts';
import { platformResultLimitBytes } from './result.ts';

const SECOND_MS = 1_000;

describe('late progress', () => {
  test('does not land after the final result (#250)', async () => {
    const { client, work, exchanges } = await startLocalBench();
    const kept: ((update: unknown) => void)[] = [];
    work(async (_, { progress }) => {
      kept.push(progress);
      for (let step = 0; step < 50; step += 1) progress({ step });
      return 'done';
    });
    const job = await client.runSync({});
    kept[0]?.('late');
    await sleep(50);
    expect(job).toMatchObject({ status: 'COMPLETED', output: 'done' });
    expect(await client.status(job.id)).toMatchObject({ status: 'COMPLETED', output: 'done' });
    const posts = exchanges('job-done').map(({ body }) => JSON.parse(body));
    expect(posts.at(-1)).toEqual({ output: 'done' });
    expect(posts.length).toBeLessThanOrEqual(3);
  });

  test('that is slow on its way holds the result back', async () => {
    const { client, work, exchanges } = await startLocalBench({
      faults: { rules: [{ call: 'progress', fault: { kind: 'delay', delayMs: 200 } }] },
    });
    work(async (_, { progress }) => {
      progress('half');
      return 'done';
    });
    expect(await client.runSync({})).toMatchObject({ output: 'done' });
    expect(exchanges('job-done').map(({ reply }) => JSON.parse(reply))).toEqual([
      { ignored: false },
      { ignored: false },
    ]);
  });
});

describe('a result beyond the limit', () => {
  const bytes = async ({ input }: Job<{ sizeBytes: number }>) => 'x'.repeat(input.sizeBytes);

  test('of /run is FAILED with output_too_large, never COMPLETED without output (comfyui #129)', async () => {
    const { client, work } = await startLocalBench();
    work(bytes);
    const { id } = await client.run({ sizeBytes: 10_000_000 });
    const { status, error } = await eventually(async () => {
      const envelope = await client.status(id);
      expect(envelope).toHaveProperty('error');
      return envelope;
    });
    expect({ status, code: parseJobError(error).code }).toEqual({
      status: 'FAILED',
      code: 'output_too_large',
    });
  });

  test('of /run is none for /runsync, which carries twice as much', async () => {
    const { client, work } = await startLocalBench();
    work(bytes);
    const job = await client.runSync({ sizeBytes: 10_000_000 });
    expect(job).toMatchObject({ id: expect.stringMatching(/^sync-/), status: 'COMPLETED' });
    expect([platformResultLimitBytes(job.id), platformResultLimitBytes('a-u1')]).toEqual([
      20_000_000, 10_000_000,
    ]);
  });

  test('is counted to the byte, in UTF-8', async () => {
    const { client, work } = await startLocalBench();
    work(async ({ input }: Job<string>) => input, { maxResultBytes: '{"output":"äää"}'.length + 3 });
    expect(await client.runSync('äää')).toMatchObject({ status: 'COMPLETED' });
    expect(await client.runSync('ääää')).toMatchObject({ status: 'FAILED' });
  });
});

describe('an error that is no short string', () => {
  test.each([
    ['an object', async () => ({ error: { reason: 'cold' } }), '{"reason":"cold"}'],
    ['a list', async () => ({ error: ['cold'] }), '["cold"]'],
    [
      'beside an output beyond the limit',
      async () => ({ error: 'cold', data: 'x'.repeat(10_000_000) }),
      'cold',
    ],
    ['a text beyond the limit', async () => ({ error: 'c'.repeat(10_000_000) }), 'c'.repeat(4_000)],
    [
      'thrown and no JSON',
      async () => {
        const cyclic: Record<string, unknown> = {};
        cyclic['self'] = cyclic;
        throw cyclic;
      },
      'An object was thrown that cannot be written as JSON',
    ],
  ])(
    '(%s) is FAILED with a string and a code, not COMPLETED without output (#299)',
    async (_, handler, text) => {
      const { client, work } = await startLocalBench();
      work(handler);
      const job = await client.runSync({});
      expect(job.status).toBe('FAILED');
      const { code, message } = parseJobError(job.error);
      expect(code).toBe('handler_failed');
      expect(message.startsWith(text)).toBe(true);
    },
  );
});

describe('a storm of instant empty replies', () => {
  test.each([204, 400] as const)('(%i) does not make a busy loop', async (emptyTakeStatus) => {
    const { work, exchanges, client } = await startLocalBench({
      platform: { emptyTakeStatus },
      timings: { pollHoldMs: 0 },
    });
    work(async () => 'done');
    await sleep(SECOND_MS);
    expect(exchanges('job-take').length).toBeGreaterThan(1);
    expect(exchanges('job-take').length).toBeLessThan(12);
    expect(exchanges('job-stop').length).toBeLessThan(3);
    expect(await client.runSync({})).toMatchObject({ output: 'done' });
  });
});

describe('the network is cut while a result is posted', () => {
  test('and the result arrives all the same, once (#309)', async () => {
    const runs: string[] = [];
    const { client, work } = await startLocalBench({
      faults: {
        rules: [
          { call: 'job-done', nth: 1, fault: { kind: 'cut', when: 'before' } },
          { call: 'job-done', nth: 2, fault: { kind: 'answer', status: 503 } },
          { call: 'job-done', nth: 3, fault: { kind: 'answer', status: 429, retryAfterSeconds: 0 } },
          { call: 'job-done', nth: 4, fault: { kind: 'cut', when: 'middle' } },
        ],
      },
    });
    work(async ({ id }: Job) => {
      runs.push(id);
      return 'kept';
    });
    expect(await client.runSync({})).toMatchObject({ status: 'COMPLETED', output: 'kept' });
    expect(runs).toHaveLength(1);
  });
});

describe('a job taken at shutdown', () => {
  test('that was assigned but has not arrived goes to the next worker at once', async () => {
    const { client, work, exchanges } = await startLocalBench({
      faults: {
        rules: [{ call: 'job-take', nth: 1, fault: { kind: 'delay', delayMs: 300, of: 'reply' } }],
      },
    });
    const job = await client.run({});
    const leaving = work(async () => 'first');
    await eventually(async () =>
      expect(await client.status(job.id)).toMatchObject({ status: 'IN_PROGRESS' }),
    );
    await leaving.shutdown();
    work(async () => 'second');
    await eventually(async () => {
      const { status, output } = await client.status(job.id);
      expect({ status, output }).toEqual({ status: 'COMPLETED', output: 'second' });
    });
    expect(exchanges('job-take')[0]).toMatchObject({ isComplete: false });
  });

  test.each([
    ['run', 5_000, { output: 'ran' }],
    ['failed retryably', 0, { error: expect.stringContaining('"code":"worker_shutdown"') }],
  ])('that the platform sends as the poll is being left is %s', async (_, deadlineMs, post) => {
    const polled = gate();
    const { worker, posts, answerLeftPolls } = await setUp(replyingWhenLeft(polled.open), async () => 'ran');
    answerLeftPolls();
    await polled.passed;
    await worker.shutdown({ deadlineMs });
    expect(posts()).toEqual([post]);
  });
});

test('a poll held for 90 s is left without dropping the job that is assigned just then', async () => {
  const clock = createManualClock();
  const polled = gate();
  const { worker, posts, answerLeftPolls } = await setUp(replyingWhenLeft(polled.open), async () => 'ran', {
    clock,
  });
  answerLeftPolls();
  await polled.passed;
  clock.advance(90_000);
  await eventually(() => expect(posts()).toEqual([{ output: 'ran' }]));
  const ended = worker.shutdown();
  // The platform of this test holds on to the next poll, however it is left.
  clock.advance(1_000);
  await ended;
});

/** Assigns a job to the first poll in the moment in which its caller leaves it. */
function replyingWhenLeft(onPoll: () => void) {
  let polls = 0;
  return (call: string, response: ServerResponse) => {
    if (call !== 'job-take' || polls++ > 0) return false;
    response.socket?.once('end', () => reply(response, 200, { id: 'job-1', input: {} }));
    onPoll();
    return true;
  };
}

test('a stop for a job that still waits for a slot removes it (rp_scale.py:332)', async () => {
  const first = gate();
  const two = [
    { id: 'job-1', input: 1 },
    { id: 'job-2', input: 2 },
  ];
  const take = jobs(two);
  const polledStops = gate<ServerResponse>();
  const ran: string[] = [];
  const { posts, seen, count } = await setUp(
    (call, response) => {
      if (call !== 'job-stop') return take(call, response);
      polledStops.open(response);
      return true;
    },
    async ({ id }) => {
      ran.push(id);
      await first.passed;
      return id;
    },
  );
  const lastPing = () => seen.findLast(({ call }) => call === 'ping')?.query;
  await eventually(() => expect(lastPing()).toContain('job_id=job-1%2Cjob-2'));
  reply(await polledStops.passed, 200, { jobsToStop: ['job-2'] });
  await eventually(() => expect(lastPing()).toMatch(/job_id=job-1&/));
  first.open();
  await eventually(() => expect(count('job-take')).toBe(2));
  expect(ran).toEqual(['job-1']);
  expect(posts()).toEqual([{ output: 'job-1' }]);
});

test('X-Request-ID is that of the job whose result is posted, however many run (rp_http.py:58)', async () => {
  const { client, work, exchanges } = await startLocalBench();
  const submitted = await Promise.all(Array.from({ length: 6 }, (_, index) => client.run({ index })));
  work(
    async ({ input }: Job<{ index: number }>, { progress }) => {
      progress(input.index);
      await sleep(10 * (6 - input.index));
      return input.index;
    },
    { concurrencyModifier: () => 6 },
  );
  await eventually(async () => {
    for (const { id } of submitted) expect(await client.status(id)).toMatchObject({ status: 'COMPLETED' });
  });
  const posts = exchanges('job-done');
  expect(posts.length).toBeGreaterThanOrEqual(12);
  for (const { path, headers } of posts) expect(path.split('/').at(-1)).toBe(headers['x-request-id']);
});

describe('counting', () => {
  test('a job is counted once: free slots are asked for, and job_in_progress follows (rp_scale.py:204)', async () => {
    const { client, work, exchanges } = await startLocalBench({ timings: { pollHoldMs: 100 } });
    const work1 = gate();
    const submitted = await client.run({});
    work(() => work1.passed, { concurrencyModifier: () => 3 });
    await eventually(() => expect(exchanges('job-take-batch').length).toBeGreaterThan(2));
    const [first, second] = exchanges('job-take-batch');
    expect(first).toMatchObject({ query: 'gpu=local&batch_size=3&job_in_progress=0' });
    expect(JSON.parse(first?.reply ?? '')).toMatchObject([{ id: submitted.id }]);
    expect(second).toMatchObject({ query: 'gpu=local&batch_size=2&job_in_progress=1', status: 204 });
    work1.open();
    await eventually(() =>
      expect(exchanges('job-take-batch').at(-1)?.query).toBe('gpu=local&batch_size=3&job_in_progress=0'),
    );
  });

  test('a job that is handed out twice is run once', async () => {
    const twice = [
      { id: 'job-1', input: 1 },
      { id: 'job-1', input: 1 },
    ];
    const { posts, count } = await setUp(jobs(twice), async () => 'done');
    await eventually(() => expect(count('job-take')).toBe(2));
    await sleep(50);
    expect(posts()).toEqual([{ output: 'done' }]);
  });
});

test('what is wrong with a take, or fails in it, is a warning or an error and not a line of DEBUG', async () => {
  const logged: string[] = [];
  const complain = (_: object, message: string) => logged.push(message);
  const logger = { debug: () => {}, info: () => {}, warn: complain, error: complain };
  const { posts } = await setUp(
    jobs(7, [null, { id: 3 }], [{ id: '' }, { id: 'job-1', input: 1 }]),
    async () => 'done',
    {
      logger,
      concurrencyModifier() {
        throw new TypeError('current is not a function');
      },
    },
  );
  await eventually(() => expect(posts()).toEqual([{ output: 'done' }]));
  expect(logged).toEqual(
    expect.arrayContaining([
      'concurrencyModifier failed: current is not a function.',
      'Asking the platform failed (the reply holds no job with an id); asking again.',
      'A part of a take is no use: the reply holds no job with an id.',
    ]),
  );
});

test('RUNPOD_PING_INTERVAL below 1000 is milliseconds, not a busy loop', async () => {
  const { work, exchanges } = await startLocalBench({ timings: { pingIntervalMs: 250 } });
  work(async () => 'done');
  await eventually(() => expect(exchanges('ping').length).toBeGreaterThan(0));
  await sleep(SECOND_MS);
  expect(exchanges('ping').length).toBeGreaterThan(1);
  expect(exchanges('ping').length).toBeLessThan(10);
});

test('templates without "?" get one', async () => {
  const { local, client, work, exchanges } = await startLocalBench();
  const bare = Object.fromEntries(
    Object.entries(local.workerEnvironment('w1')).map(([name, value]) => [
      name,
      value.replace('?gpu=local', ''),
    ]),
  );
  work(
    async function* () {
      yield 1;
    },
    { concurrencyModifier: () => 2 },
    bare,
  );
  expect(await client.runSync({})).toMatchObject({ status: 'COMPLETED' });
  expect(exchanges('job-take-batch')[0]?.query).toBe('batch_size=2&job_in_progress=0');
  expect(exchanges('job-done')[0]?.query).toBe('isStream=true');
  expect(exchanges('job-stream')[0]?.query).toBe('isStream=false');
  await eventually(() => expect(exchanges('ping').length).toBeGreaterThan(0));
  expect(exchanges('ping')[0]?.query).toMatch(/^runpod_version=/);
});
