/** The queue against a model of it: plain lists and the rules in words, any order of events, the same answers. */
import { deepStrictEqual } from 'node:assert/strict';
import fc from 'fast-check';
import { test } from 'vitest';
import type { JobStatus } from '../job-status.ts';
import { createJobQueue, type JobQueue } from './job-queue.ts';
import { createManualClock, type ManualClock } from './manual-clock.ts';

const MAX_DELIVERIES = 2;
const HEARTBEAT_TIMEOUT_MS = 1_000;
const EXECUTION_TIMEOUT_MS = 3_000;
const TTL_MS = 6_000;
const RETENTION_MS = 4_000;
/** A longer step of the clock would be taken for a sleeping machine. */
const TICK_MS = 250;

/** What the rules say of one job. */
interface ModelJob {
  status: JobStatus;
  holder: string | undefined;
  deliveries: number;
  submittedAtMs: number;
  pickedUpAtMs: number;
  seenAtMs: number;
  endedAtMs: number;
  retentionMs: number;
  output: unknown;
}

interface Model {
  nowMs: number;
  jobs: Map<string, ModelJob>;
  /** Given out before, and given up. */
  returned: string[];
  waiting: string[];
  submitted: number;
  endings: string[];
  retried: number;
}

interface Real {
  clock: ManualClock;
  queue: JobQueue;
  endings: string[];
}

type QueueCommand = fc.Command<Model, Real>;

/** One event, as the rules have it and as the queue does it, and that both then agree about everything. */
function event(
  name: string,
  inModel: (model: Model) => unknown,
  inQueue: (real: Real, model: Model) => unknown,
): QueueCommand {
  return {
    check: () => true,
    run(model, real) {
      const expected = inModel(model);
      const found = inQueue(real, model);
      // One comparison a step, and node's: the steps are many.
      deepStrictEqual(
        { reply: found, ...viewOf(real, model) },
        { reply: expected, ...viewOfModel(model) },
        name,
      );
    },
    toString: () => name,
  };
}

function viewOf({ queue, endings }: Real, model: Model) {
  const { inQueue, inProgress, retried } = queue.counts();
  const jobs = allIds(model).map((id) => {
    const job = queue.find(id);
    return job && [job.status, job.delivery?.workerId, job.deliveryCount, job.output];
  });
  return { endings, inQueue, inProgress, retried, jobs };
}

function viewOfModel(model: Model): ReturnType<typeof viewOf> {
  const jobs = allIds(model).map((id) => {
    const job = model.jobs.get(id);
    return job && [job.status, job.holder, job.deliveries, job.output];
  });
  return {
    endings: model.endings,
    inQueue: model.returned.length + model.waiting.length,
    inProgress: [...model.jobs.values()].filter(({ holder }) => holder !== undefined).length,
    retried: model.retried,
    jobs,
  };
}

function allIds({ submitted }: Model): string[] {
  return Array.from({ length: submitted }, (_, index) => `j${index}`);
}

function end(model: Model, id: string, status: JobStatus, output?: unknown): void {
  const job = model.jobs.get(id) as ModelJob;
  Object.assign(job, { status, holder: undefined, endedAtMs: model.nowMs, output });
  model.returned = model.returned.filter((other) => other !== id);
  model.waiting = model.waiting.filter((other) => other !== id);
  model.endings.push(`${id} ${status}`);
}

function putBack(model: Model, id: string): void {
  Object.assign(model.jobs.get(id) as ModelJob, { status: 'IN_QUEUE', holder: undefined, output: undefined });
  model.returned.push(id);
}

function lose(model: Model, id: string): void {
  if ((model.jobs.get(id) as ModelJob).deliveries >= MAX_DELIVERIES) {
    end(model, id, 'TIMED_OUT');
    return;
  }
  model.retried += 1;
  putBack(model, id);
}

function held(model: Model, workerId: string, id: string): ModelJob | undefined {
  const job = model.jobs.get(id);
  return job?.holder === workerId ? job : undefined;
}

const isLive = ({ status }: ModelJob) => status === 'IN_QUEUE' || status === 'IN_PROGRESS';

/** What the next tick does: at each moment a job is looked at once, its ttl first. */
function tick(model: Model): void {
  model.nowMs += TICK_MS;
  const { nowMs } = model;
  const endedBefore = [...model.jobs].filter(([, job]) => !isLive(job)).map(([id]) => id);
  for (const [id, job] of byEntry(model)) {
    if (nowMs - job.submittedAtMs >= TTL_MS) {
      end(model, id, 'TIMED_OUT');
      model.jobs.delete(id);
    } else if (job.holder !== undefined && nowMs - job.pickedUpAtMs >= EXECUTION_TIMEOUT_MS)
      end(model, id, 'TIMED_OUT');
    else if (job.holder !== undefined && nowMs - job.seenAtMs >= HEARTBEAT_TIMEOUT_MS) lose(model, id);
  }
  for (const id of endedBefore) {
    const job = model.jobs.get(id) as ModelJob;
    if (nowMs - job.endedAtMs >= job.retentionMs) model.jobs.delete(id);
  }
}

/** Live jobs in the order in which they became live: a retried one has moved behind the others. */
function byEntry(model: Model): [string, ModelJob][] {
  return [...model.jobs]
    .filter(([, job]) => isLive(job))
    .sort(([, a], [, b]) => a.submittedAtMs - b.submittedAtMs);
}

const workerId = fc.constantFrom('w1', 'w2', 'w3');
const jobId = fc.constantFrom('j0', 'j1', 'j2', 'j3', 'j4');

const commands = [
  fc.constant(
    event(
      'submit',
      (model) => {
        model.waiting.push(`j${model.submitted}`);
        model.jobs.set(`j${model.submitted}`, {
          status: 'IN_QUEUE',
          holder: undefined,
          deliveries: 0,
          submittedAtMs: model.nowMs,
          pickedUpAtMs: 0,
          seenAtMs: 0,
          endedAtMs: 0,
          retentionMs: RETENTION_MS,
          output: undefined,
        });
        model.submitted += 1;
      },
      ({ queue }, model) => void queue.submit({ id: `j${model.submitted - 1}`, kind: 'run', input: 1 }),
    ),
  ),
  workerId.map((worker) =>
    event(
      `${worker} takes`,
      (model) => {
        const id = model.returned.shift() ?? model.waiting.shift();
        const job = model.jobs.get(id ?? '');
        if (!job) return undefined;
        const { nowMs } = model;
        Object.assign(job, { status: 'IN_PROGRESS', holder: worker, pickedUpAtMs: nowMs, seenAtMs: nowMs });
        job.deliveries += 1;
        return id;
      },
      ({ queue }) => queue.take(worker)?.id,
    ),
  ),
  fc.tuple(workerId, jobId).map(([worker, id]) =>
    event(
      `${worker} never got ${id}`,
      (model) => {
        const job = held(model, worker, id);
        if (!job) return;
        job.deliveries -= 1;
        putBack(model, id);
      },
      ({ queue }) => queue.handBack(worker, id),
    ),
  ),
  fc.tuple(workerId, fc.subarray(['j0', 'j1', 'j2', 'j3', 'j4'])).map(([worker, ids]) =>
    event(
      `${worker} pings with ${ids}`,
      (model) => {
        for (const id of ids) {
          const job = held(model, worker, id);
          if (job) job.seenAtMs = model.nowMs;
        }
      },
      ({ queue }) => queue.heartbeat(worker, ids),
    ),
  ),
  workerId.map((worker) =>
    event(
      `${worker} ends`,
      (model) => {
        for (const [id, job] of byEntry(model)) if (job.holder === worker) lose(model, id);
      },
      ({ queue }) => queue.loseWorker(worker),
    ),
  ),
  fc.tuple(workerId, jobId).map(([worker, id]) =>
    event(
      `${worker} reports progress of ${id}`,
      (model) => {
        const job = held(model, worker, id);
        if (job) Object.assign(job, { seenAtMs: model.nowMs, output: 'half' });
        return job !== undefined;
      },
      ({ queue }) => queue.progress(worker, id, 'half'),
    ),
  ),
  fc.tuple(workerId, jobId, fc.boolean()).map(([worker, id, isGood]) =>
    event(
      `${worker} finishes ${id} ${isGood ? 'well' : 'badly'}`,
      (model) => {
        const isHeld = held(model, worker, id) !== undefined;
        if (isHeld) end(model, id, isGood ? 'COMPLETED' : 'FAILED', worker);
        return isHeld;
      },
      ({ queue }) => queue.finish(worker, id, isGood ? { output: worker } : { output: worker, error: 'e' }),
    ),
  ),
  jobId.map((id) =>
    event(
      `${id} is cancelled`,
      (model) => {
        const job = model.jobs.get(id);
        if (job && isLive(job)) end(model, id, 'CANCELLED');
      },
      ({ queue }) => void queue.cancel(id),
    ),
  ),
  jobId.map((id) =>
    event(
      `${id} is retried`,
      (model) => {
        const job = model.jobs.get(id);
        if (job?.status !== 'FAILED' && job?.status !== 'TIMED_OUT') return false;
        Object.assign(job, {
          status: 'IN_QUEUE',
          deliveries: 0,
          submittedAtMs: model.nowMs,
          output: undefined,
        });
        // Behind all others from here on.
        model.jobs.delete(id);
        model.jobs.set(id, job);
        model.waiting.push(id);
        model.retried += 1;
        return true;
      },
      ({ queue }) => queue.retry(id),
    ),
  ),
  fc.constant(
    event(
      'purge',
      (model) => {
        const queued = [...model.returned, ...model.waiting];
        for (const id of queued) end(model, id, 'CANCELLED');
        return queued.length;
      },
      ({ queue }) => queue.purge(),
    ),
  ),
  fc.tuple(jobId, fc.constantFrom(500, 60_000)).map(([id, retentionMs]) =>
    event(
      `${id} is kept ${retentionMs} ms at most`,
      (model) => {
        const job = model.jobs.get(id);
        if (job) job.retentionMs = Math.min(job.retentionMs, retentionMs);
      },
      ({ queue }) => queue.shortenRetention(id, retentionMs),
    ),
  ),
  fc.integer({ min: 1, max: 8 }).map((ticks) =>
    event(
      `${ticks * TICK_MS} ms pass`,
      (model) => {
        for (let passed = 0; passed < ticks; passed += 1) tick(model);
      },
      ({ clock, queue }) => {
        for (let passed = 0; passed < ticks; passed += 1) {
          clock.advance(TICK_MS);
          queue.expire();
        }
      },
    ),
  ),
];

function start(): { model: Model; real: Real } {
  const clock = createManualClock(1_000_000);
  const endings: string[] = [];
  const queue = createJobQueue({
    clock,
    heartbeatTimeoutMs: HEARTBEAT_TIMEOUT_MS,
    maxDeliveries: MAX_DELIVERIES,
    lostStatus: 'TIMED_OUT',
    executionTimeoutMs: EXECUTION_TIMEOUT_MS,
    ttlMs: TTL_MS,
    retentionMs: { run: RETENTION_MS, runsync: RETENTION_MS },
    onQueued: () => {},
    onEnded: ({ id, status }) => endings.push(`${id} ${status}`),
    onStop: () => {},
    onDelivered: () => {},
  });
  const model: Model = {
    nowMs: clock.now(),
    jobs: new Map(),
    returned: [],
    waiting: [],
    submitted: 0,
    endings: [],
    retried: 0,
  };
  return { model, real: { clock, queue, endings } };
}

test('in any order of events the queue does what its rules say, job by job and moment by moment', () => {
  fc.assert(
    fc.property(fc.commands(commands, { maxCommands: 80, size: '+1' }), (events) => {
      fc.modelRun(start, events);
    }),
    { numRuns: 200 },
  );
});
