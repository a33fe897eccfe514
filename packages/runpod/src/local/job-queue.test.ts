/** The rules of the queue one by one: deliveries, lost workers, limits. (All of them together: job-queue.model.test.ts.) */
import { describe, expect, test } from 'vitest';
import { createManualClock } from './index.ts';
import { createJobQueue, type JobQueueOptions } from './job-queue.ts';

const MAX_DELIVERIES = 3;
const HEARTBEAT_TIMEOUT_MS = 1_000;
/** Short steps: a longer silence of the clock itself is taken for a sleeping machine. */
const TICK_MS = 250;

function createQueue(options: Partial<JobQueueOptions> = {}) {
  const clock = createManualClock(1_000_000);
  const ended: { id: string; status: string }[] = [];
  const stops: [workerId: string, jobId: string][] = [];
  const queue = createJobQueue({
    clock,
    heartbeatTimeoutMs: HEARTBEAT_TIMEOUT_MS,
    maxDeliveries: MAX_DELIVERIES,
    lostStatus: 'FAILED',
    executionTimeoutMs: 60_000,
    ttlMs: 3_600_000,
    retentionMs: { run: 100_000, runsync: 50_000 },
    onQueued: () => {},
    onEnded: ({ id, status }) => ended.push({ id, status }),
    onStop: (workerId, jobId) => stops.push([workerId, jobId]),
    onDelivered: () => {},
    ...options,
  });
  function pass(durationMs: number): void {
    for (let passedMs = 0; passedMs < durationMs; passedMs += TICK_MS) {
      clock.advance(TICK_MS);
      queue.expire();
    }
  }
  const submit = (id: string, policy = {}) => queue.submit({ id, kind: 'run', input: 1, policy });
  return { clock, queue, ended, stops, pass, submit };
}

describe('deliveries', () => {
  test('go to the oldest job first, and a job handed back comes before newer ones', () => {
    const { queue, submit } = createQueue();
    for (const id of ['a', 'b', 'c']) submit(id);
    expect(queue.take('w1')?.id).toBe('a');
    queue.handBack('w1', 'a');
    expect(queue.find('a')).toMatchObject({ status: 'IN_QUEUE', deliveryCount: 0 });
    expect([queue.take('w1')?.id, queue.take('w2')?.id, queue.take('w3')?.id]).toEqual(['a', 'b', 'c']);
    expect(queue.take('w4')).toBeUndefined();
  });

  test('live while they are named in pings, and are lost when they are not', () => {
    const { queue, submit, pass, stops } = createQueue();
    submit('a');
    queue.take('w1');
    for (let ping = 0; ping < 5; ping += 1) {
      pass(750);
      queue.heartbeat('w1', ['a']);
    }
    expect(queue.find('a')).toMatchObject({ status: 'IN_PROGRESS', deliveryCount: 1 });
    // It lives, but works on something else: the reply with the job never reached it.
    for (let ping = 0; ping < 5; ping += 1) {
      pass(500);
      queue.heartbeat('w1', []);
    }
    expect(queue.find('a')).toMatchObject({ status: 'IN_QUEUE' });
    expect(stops).toEqual([['w1', 'a']]);
    expect(queue.counts().retried).toBe(1);
  });

  test('survive a sleep of the whole machine', () => {
    const { clock, queue, submit } = createQueue();
    submit('a');
    queue.take('w1');
    clock.advance(50 * HEARTBEAT_TIMEOUT_MS);
    queue.expire();
    expect(queue.find('a')).toMatchObject({ status: 'IN_PROGRESS' });
  });

  test('that were lost have no say any more: neither progress nor result', () => {
    const { queue, submit } = createQueue();
    submit('a');
    queue.take('w1');
    queue.loseWorker('w1');
    expect(queue.finish('w1', 'a', { output: 'late' })).toBe(false);
    queue.take('w2');
    expect(queue.progress('w1', 'a', 'late')).toBe(false);
    expect(queue.finish('w1', 'a', { output: 'late' })).toBe(false);
    expect(queue.finish('w2', 'a', { output: 'right' })).toBe(true);
    expect(queue.find('a')).toMatchObject({ status: 'COMPLETED', output: 'right', workerId: 'w2' });
  });

  test.each(['FAILED', 'TIMED_OUT'] as const)(
    'lost too often end the job as %s when so configured',
    (lostStatus) => {
      const { queue, submit, ended } = createQueue({ lostStatus });
      submit('a');
      for (const workerId of ['w1', 'w2', 'w3']) {
        queue.take(workerId);
        queue.loseWorker(workerId);
      }
      expect(ended).toEqual([{ id: 'a', status: lostStatus }]);
      expect(queue.find('a')?.error).toContain('3 times');
    },
  );
});

describe('limits', () => {
  test('a run longer than its executionTimeout ends TIMED_OUT, and its worker is told', () => {
    const { queue, submit, pass, stops } = createQueue({ heartbeatTimeoutMs: 1e9 });
    submit('a', { executionTimeout: 5_000 });
    pass(10_000);
    queue.take('w1');
    pass(4_500);
    expect(queue.find('a')?.status).toBe('IN_PROGRESS');
    pass(500);
    expect(queue.find('a')).toMatchObject({ status: 'TIMED_OUT', error: 'The job ran longer than 5000 ms.' });
    expect(stops).toEqual([['w1', 'a']]);
    expect(queue.finish('w1', 'a', { output: 1 })).toBe(false);
  });

  test('a job older than its ttl is gone, even while it runs', () => {
    const { queue, submit, pass, stops } = createQueue({ heartbeatTimeoutMs: 1e9 });
    submit('queued', { ttl: 10_000 });
    submit('running', { ttl: 10_000 });
    queue.take('w1');
    pass(10_000);
    expect(queue.find('queued')).toBeUndefined();
    expect(queue.find('running')).toBeUndefined();
    expect(stops).toEqual([['w1', 'queued']]);
    expect(queue.counts()).toMatchObject({ inQueue: 0, inProgress: 0 });
  });

  test('an ended job is kept for its retention and then forgotten', () => {
    const { queue, submit, pass } = createQueue();
    submit('a');
    queue.submit({ id: 'sync-b', kind: 'runsync', input: 1 });
    queue.cancel('a');
    queue.cancel('sync-b');
    pass(49_000);
    expect(queue.find('sync-b')).toBeDefined();
    pass(1_000);
    expect(queue.find('sync-b')).toBeUndefined();
    expect(queue.find('a')).toBeDefined();
    pass(50_000);
    expect(queue.find('a')).toBeUndefined();
  });
});
