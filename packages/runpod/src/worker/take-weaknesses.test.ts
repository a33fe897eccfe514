/** What RunPod's Python SDK (1.12) is known to do wrong in taking jobs and letting go of them, one test each. */
import type { ServerResponse } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { startLocalBench } from '../../testing/local-bench.ts';
import { eventually, gate, jobs, reply, setUp } from '../../testing/scripted-platform.ts';
import { createManualClock } from '../local/index.ts';

const SECOND_MS = 1_000;

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
