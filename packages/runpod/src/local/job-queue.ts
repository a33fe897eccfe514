/** The queue's state machine: who has which job, and what may still change. Synchronous, in memory, told the time. */
import type { Clock } from '../clock.ts';
import type { JobPolicy, JobStatus, TerminalJobStatus } from '../job-status.ts';
import { isTerminalStatus } from '../job-status.ts';

/** A job as the queue keeps it. */
export interface QueuedJob {
  readonly id: string;
  readonly kind: 'run' | 'runsync';
  readonly input: unknown;
  readonly webhook: string | undefined;
  /** Other top-level keys that travel to the worker, e.g. `s3Config`. */
  readonly extras: Readonly<Record<string, unknown>>;
  readonly executionTimeoutMs: number;
  readonly ttlMs: number;
  /** While it is queued it asks for no worker. */
  readonly lowPriority: boolean;
  /** How long it is kept when it has ended. */
  retentionMs: number;
  /** A retry begins anew. */
  submittedAtMs: number;
  status: JobStatus;
  /** While IN_PROGRESS: who has the job, and when that worker last named it. */
  delivery: { workerId: string; seenAtMs: number } | undefined;
  deliveryCount: number;
  pickedUpAtMs: number | undefined;
  endedAtMs: number | undefined;
  /** The last worker that had the job. */
  workerId: string | undefined;
  output: unknown;
  error: string | undefined;
  /** What its worker has streamed and no client has fetched, oldest first; a new delivery begins a new array. */
  chunks: unknown[];
}

/** Chunks on their way to a client. */
interface TakenChunks {
  chunks: unknown[];
  /** They did not arrive: the next fetch begins with them. */
  giveBack(): void;
}

/** What a client submits. */
export interface Submission {
  id: string;
  kind: 'run' | 'runsync';
  input: unknown;
  webhook?: string | undefined;
  policy?: JobPolicy | undefined;
  extras?: Record<string, unknown> | undefined;
  /** When it was submitted, for a job of an earlier process; default now. */
  submittedAtMs?: number | undefined;
}

/** RunPod queues no other job again. */
export function isRetryable(job: QueuedJob): boolean {
  return job.status === 'FAILED' || job.status === 'TIMED_OUT';
}

/** The job as it was submitted, for a journal. */
export function submissionOf(job: QueuedJob): Submission {
  const { id, kind, input, webhook, extras } = job;
  return {
    id,
    kind,
    input,
    webhook,
    extras,
    policy: {
      executionTimeout: job.executionTimeoutMs,
      ttl: job.ttlMs,
      lowPriority: job.lowPriority,
    },
  };
}

/** What a worker posts at the end. */
export interface JobResult {
  output?: unknown;
  error?: string | undefined;
}

/** The queue's numbers. Times in milliseconds. */
export interface JobQueueOptions {
  clock: Clock;
  /** A delivery whose worker has not named the job for so long is lost. */
  heartbeatTimeoutMs: number;
  /** How often a job is handed out at most; a job lost more often ends. */
  maxDeliveries: number;
  /** How such a job ends. */
  lostStatus: 'FAILED' | 'TIMED_OUT';
  /** Unless the job's policy says otherwise. */
  executionTimeoutMs: number;
  ttlMs: number;
  /** How long ended jobs are kept, by kind. */
  retentionMs: { run: number; runsync: number };
  /** A job has become takeable. */
  onQueued(): void;
  /** A job has reached its terminal state. */
  onEnded(job: QueuedJob): void;
  /** `workerId` has a job that it should stop: cancelled, timed out, or given to somebody else. */
  onStop(workerId: string, jobId: string): void;
  /** `workerId` has been given the job (again): an older order to stop it is void. */
  onDelivered(workerId: string, jobId: string): void;
}

/** Counts for /health and the supervisor. */
interface QueueCounts {
  inQueue: number;
  inProgress: number;
  completed: number;
  failed: number;
  retried: number;
}

/** See the functions' own comments; every one is safe to call with unknown ids. */
export interface JobQueue {
  submit(submission: Submission): QueuedJob;
  /** Undefined when unknown or no longer kept. */
  find(jobId: string): QueuedJob | undefined;
  /** Gives the oldest queued job to `workerId`; jobs handed back or lost come first. */
  take(workerId: string): QueuedJob | undefined;
  /** The worker never got the job it was given (its connection closed first): as if it had not been taken. */
  handBack(workerId: string, jobId: string): void;
  /** A ping: the worker lives and has these jobs. */
  heartbeat(workerId: string, jobIds: readonly string[]): void;
  /** The worker's process has ended. */
  loseWorker(workerId: string): void;
  /** @returns false when the worker does not have the job (any more): ignored */
  progress(workerId: string, jobId: string, output: unknown): boolean;
  /** @returns false when the worker does not have the job (any more): ignored */
  stream(workerId: string, jobId: string, chunk: unknown): boolean;
  /** What has been streamed since the last call. */
  takeChunks(jobId: string): TakenChunks;
  /** @returns false when the worker does not have the job (any more): ignored */
  finish(workerId: string, jobId: string, result: JobResult): boolean;
  /** Ends a queued or running job; nothing when it has ended. */
  cancel(jobId: string): QueuedJob | undefined;
  /**
   * Queues a job again that has FAILED or TIMED_OUT, with its deliveries, ttl and times begun anew.
   *
   * @returns false when it is in any other state
   */
  retry(jobId: string): boolean;
  /** Ends every queued job as CANCELLED; says how many. */
  purge(): number;
  /** Keeps the job no longer than `retentionMs` after its end. */
  shortenRetention(jobId: string, retentionMs: number): void;
  /** Applies what time alone does: lost heartbeats, time limits, ttl, retention. Called every tick. */
  expire(): void;
  hasDelivery(workerId: string): boolean;
  counts(): QueueCounts;
  /** How many jobs ask for a worker: all that have not ended, but for queued ones of low priority. */
  demand(): number;
}

/** An empty queue. */
export function createJobQueue(options: JobQueueOptions): JobQueue {
  const { clock } = options;
  const jobs = new Map<string, QueuedJob>();
  const live = new Set<QueuedJob>();
  const ended = new Set<QueuedJob>();
  // Two lanes, each in order of arrival: what was given out before does not wait behind newer jobs.
  const returned = new Set<QueuedJob>();
  const waiting = new Set<QueuedJob>();
  const totals = { completed: 0, failed: 0, retried: 0 };
  let expiredAtMs = clock.now();

  function end(job: QueuedJob, status: TerminalJobStatus, result: JobResult): void {
    returned.delete(job);
    waiting.delete(job);
    live.delete(job);
    ended.add(job);
    job.status = status;
    job.delivery = undefined;
    job.endedAtMs = clock.now();
    job.output = result.output;
    job.error = result.error;
    if (status === 'COMPLETED') totals.completed += 1;
    if (status === 'FAILED') totals.failed += 1;
    options.onEnded(job);
  }

  /** Ends a job that a worker may be running, and tells that worker. */
  function endAndStop(job: QueuedJob, status: TerminalJobStatus, result: JobResult): void {
    const workerId = job.delivery?.workerId;
    end(job, status, result);
    if (workerId !== undefined) options.onStop(workerId, job.id);
  }

  function requeue(job: QueuedJob): void {
    clearDelivery(job);
    returned.add(job);
    options.onQueued();
  }

  function clearDelivery(job: QueuedJob): void {
    job.status = 'IN_QUEUE';
    job.delivery = undefined;
    job.output = undefined;
    job.chunks = [];
  }

  function loseDelivery(job: QueuedJob, reason: string): void {
    if (job.deliveryCount >= options.maxDeliveries) {
      const error = `The job was given to a worker ${job.deliveryCount} times, and each was lost; at last ${reason}.`;
      endAndStop(job, options.lostStatus, { error });
      return;
    }
    const workerId = job.delivery?.workerId;
    totals.retried += 1;
    if (workerId !== undefined) options.onStop(workerId, job.id);
    requeue(job);
  }

  /** The job, if `workerId` has it now. */
  function findDelivery(workerId: string, jobId: string): QueuedJob | undefined {
    const job = jobs.get(jobId);
    return job?.delivery?.workerId === workerId ? job : undefined;
  }

  function expireLive(job: QueuedJob, nowMs: number): void {
    if (nowMs - job.submittedAtMs >= job.ttlMs) {
      endAndStop(job, 'TIMED_OUT', { error: `The job's ttl of ${job.ttlMs} ms has passed.` });
      forget(job);
      return;
    }
    if (!job.delivery) return;
    if (nowMs - (job.pickedUpAtMs ?? nowMs) >= job.executionTimeoutMs) {
      endAndStop(job, 'TIMED_OUT', { error: `The job ran longer than ${job.executionTimeoutMs} ms.` });
    } else if (nowMs - job.delivery.seenAtMs >= options.heartbeatTimeoutMs) {
      loseDelivery(job, `worker ${job.delivery.workerId} stopped reporting it`);
    }
  }

  function forget(job: QueuedJob): void {
    jobs.delete(job.id);
    ended.delete(job);
  }

  return {
    submit({ id, kind, input, webhook, policy, extras, submittedAtMs }) {
      const job: QueuedJob = {
        id,
        kind,
        input,
        webhook,
        extras: extras ?? {},
        executionTimeoutMs: policy?.executionTimeout ?? options.executionTimeoutMs,
        ttlMs: policy?.ttl ?? options.ttlMs,
        lowPriority: policy?.lowPriority ?? false,
        retentionMs: options.retentionMs[kind],
        submittedAtMs: submittedAtMs ?? clock.now(),
        status: 'IN_QUEUE',
        delivery: undefined,
        deliveryCount: 0,
        pickedUpAtMs: undefined,
        endedAtMs: undefined,
        workerId: undefined,
        output: undefined,
        error: undefined,
        chunks: [],
      };
      jobs.set(id, job);
      live.add(job);
      waiting.add(job);
      options.onQueued();
      return job;
    },
    find: (jobId) => jobs.get(jobId),
    take(workerId) {
      const lane = returned.size > 0 ? returned : waiting;
      const [job] = lane;
      if (!job) return undefined;
      lane.delete(job);
      job.status = 'IN_PROGRESS';
      job.pickedUpAtMs = clock.now();
      job.delivery = { workerId, seenAtMs: clock.now() };
      job.deliveryCount += 1;
      job.workerId = workerId;
      options.onDelivered(workerId, job.id);
      return job;
    },
    handBack(workerId, jobId) {
      const job = findDelivery(workerId, jobId);
      if (!job) return;
      job.deliveryCount -= 1;
      requeue(job);
    },
    heartbeat(workerId, jobIds) {
      for (const jobId of jobIds) {
        const job = jobs.get(jobId);
        if (job?.delivery?.workerId === workerId) job.delivery.seenAtMs = clock.now();
        // It works on what it should not (or no longer) have: the order to stop may have been lost.
        else if (job?.status !== 'COMPLETED') options.onStop(workerId, jobId);
      }
    },
    loseWorker(workerId) {
      for (const job of [...live]) {
        if (job.delivery?.workerId === workerId) loseDelivery(job, `the process of worker ${workerId} ended`);
      }
    },
    progress(workerId, jobId, output) {
      const job = findDelivery(workerId, jobId);
      if (!job?.delivery) return false;
      job.delivery.seenAtMs = clock.now();
      job.output = output;
      return true;
    },
    stream(workerId, jobId, chunk) {
      const job = findDelivery(workerId, jobId);
      if (!job?.delivery) return false;
      job.delivery.seenAtMs = clock.now();
      job.chunks.push(chunk);
      return true;
    },
    takeChunks(jobId) {
      const source = jobs.get(jobId)?.chunks ?? [];
      const chunks = source.splice(0);
      return { chunks, giveBack: () => source.unshift(...chunks) };
    },
    finish(workerId, jobId, result) {
      const job = findDelivery(workerId, jobId);
      if (!job) return false;
      end(job, result.error === undefined ? 'COMPLETED' : 'FAILED', result);
      return true;
    },
    cancel(jobId) {
      const job = jobs.get(jobId);
      if (job && !isTerminalStatus(job.status)) endAndStop(job, 'CANCELLED', {});
      return job;
    },
    retry(jobId) {
      const job = jobs.get(jobId);
      if (!job || !isRetryable(job)) return false;
      clearDelivery(job);
      ended.delete(job);
      Object.assign(job, {
        submittedAtMs: clock.now(),
        deliveryCount: 0,
        pickedUpAtMs: undefined,
        endedAtMs: undefined,
        workerId: undefined,
        error: undefined,
      } satisfies Partial<QueuedJob>);
      live.add(job);
      waiting.add(job);
      totals.retried += 1;
      options.onQueued();
      return true;
    },
    purge() {
      const queued = [...returned, ...waiting];
      for (const job of queued) end(job, 'CANCELLED', {});
      return queued.length;
    },
    shortenRetention(jobId, retentionMs) {
      const job = jobs.get(jobId);
      if (job) job.retentionMs = Math.min(job.retentionMs, retentionMs);
    },
    expire() {
      const nowMs = clock.now();
      // When this process itself slept (a closed laptop), silence is no sign of a lost worker.
      const hasSlept = nowMs - expiredAtMs > options.heartbeatTimeoutMs / 2;
      expiredAtMs = nowMs;
      for (const job of [...live]) {
        if (hasSlept && job.delivery) job.delivery.seenAtMs = nowMs;
        expireLive(job, nowMs);
      }
      for (const job of ended) {
        if (nowMs - (job.endedAtMs ?? nowMs) >= job.retentionMs) forget(job);
      }
    },
    hasDelivery: (workerId) => [...live].some((job) => job.delivery?.workerId === workerId),
    demand: () => [...live].filter((job) => job.delivery !== undefined || !job.lowPriority).length,
    counts: () => ({
      inQueue: returned.size + waiting.size,
      inProgress: live.size - returned.size - waiting.size,
      ...totals,
    }),
  };
}
