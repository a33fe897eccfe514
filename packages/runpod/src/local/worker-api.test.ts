/** The moments of both protocols that no client can time from outside: a reply that never leaves. */
import { expect, test } from 'vitest';
import { silentLogger } from '../logger.ts';
import { handleClientCall } from './client-api.ts';
import type { Exchange } from './exchange.ts';
import { createHeldPolls } from './held-polls.ts';
import { createManualClock } from './index.ts';
import { createJobQueue } from './job-queue.ts';
import { handleWorkerCall, type WorkerApiContext } from './worker-api.ts';
import { createWorkerRegistry } from './worker-registry.ts';

function setUp() {
  const clock = createManualClock();
  const workers = createWorkerRegistry(clock);
  const queue = createJobQueue({
    clock,
    heartbeatTimeoutMs: 1_000,
    maxDeliveries: 3,
    lostStatus: 'FAILED',
    executionTimeoutMs: 60_000,
    ttlMs: 60_000,
    retentionMs: { run: 60_000, runsync: 60_000 },
    onQueued: () => {},
    onEnded: () => {},
    onStop: (workerId, jobId) => workers.orderStop(workerId, jobId),
    onDelivered: (workerId, jobId) => workers.revokeStop(workerId, jobId),
  });
  const context: WorkerApiContext = {
    queue,
    workers,
    takes: createHeldPolls(clock),
    stops: createHeldPolls(clock),
    pollHoldMs: 1_000,
    emptyTakeStatus: 204,
    oversizeResult: 'COMPLETED',
    nonStringError: 'COMPLETED',
    onUnhealthy: () => {},
    clock,
    logger: silentLogger,
  };
  return { context, queue, workers };
}

/** A caller whose connection breaks while the reply is written. */
function brokenExchange(operation: string): Exchange & { replies: unknown[] } {
  const replies: unknown[] = [];
  return {
    replies,
    method: 'GET',
    segments: ['v2', 'ep', operation, 'w1'],
    query: new URLSearchParams(),
    authorization: undefined,
    callerGone: new AbortController().signal,
    readBody: async () => '',
    async reply(_, body) {
      replies.push(body);
      return false;
    },
    replyPartly: () => {},
    cut: () => {},
  };
}

test('a job whose reply did not leave goes back to the head of the queue, as if never taken', async () => {
  const { context, queue } = setUp();
  for (const id of ['a', 'b']) queue.submit({ id, kind: 'run', input: 1 });
  const exchange = brokenExchange('job-take');
  await handleWorkerCall(context, exchange, 'job-take', 'w1', undefined);
  expect(exchange.replies).toEqual([{ id: 'a', input: 1 }]);
  expect(queue.find('a')).toMatchObject({ status: 'IN_QUEUE', deliveryCount: 0 });
  expect(queue.take('w2')?.id).toBe('a');
});

test('an order to stop whose reply did not leave is given again, until the job is delivered anew', async () => {
  const { context, queue, workers } = setUp();
  workers.see('w1');
  queue.submit({ id: 'a', kind: 'run', input: 1 });
  queue.take('w1');
  queue.loseWorker('w1');
  await handleWorkerCall(context, brokenExchange('job-stop'), 'job-stop', 'w1', undefined);
  expect(workers.takeStops('w1')).toEqual(['a']);
  workers.orderStop('w1', 'a');
  queue.take('w1');
  expect(workers.takeStops('w1')).toBeUndefined();
});

test('chunks whose reply did not leave begin the next one, unless another worker has the job by then', async () => {
  const { context, queue, workers } = setUp();
  const clientApi = {
    queue,
    endings: createHeldPolls(context.clock),
    maxQueuedJobs: Number.POSITIVE_INFINITY,
    health: () => ({
      jobs: queue.counts(),
      workers: { idle: 0, running: 0, initializing: 0, ready: 0, throttled: 0, unhealthy: 0 },
    }),
  };
  queue.submit({ id: 'a', kind: 'run', input: 1 });
  queue.take('w1');
  queue.stream('w1', 'a', { output: 1 });
  queue.stream('w1', 'a', { output: 2 });
  const exchange = brokenExchange('stream');
  await handleClientCall(clientApi, exchange, 'stream', 'a');
  expect(exchange.replies).toEqual([{ status: 'IN_PROGRESS', stream: [{ output: 1 }, { output: 2 }] }]);
  queue.stream('w1', 'a', { output: 3 });
  const taken = queue.takeChunks('a');
  expect(taken.chunks).toEqual([{ output: 1 }, { output: 2 }, { output: 3 }]);
  workers.forget('w1');
  queue.loseWorker('w1');
  taken.giveBack();
  queue.take('w2');
  queue.stream('w2', 'a', { output: 'new' });
  expect(queue.takeChunks('a').chunks).toEqual([{ output: 'new' }]);
});
