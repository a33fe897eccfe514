/** The jobs of a queue by id and by state, and the few moves between the states: everything else is made of these. */
import type { Clock } from '../clock.ts';
import type { TerminalJobStatus } from '../job-status.ts';
import type { JobResult, QueuedJob } from './queued-job.ts';

/** Whom the store tells. */
export interface JobStoreOptions {
  clock: Clock;
  /** A job has become takeable. */
  onQueued(): void;
  /** A job has reached its terminal state. */
  onEnded(job: QueuedJob): void;
  /** `workerId` has a job that it should stop: cancelled, timed out, or given to somebody else. */
  onStop(workerId: string, jobId: string): void;
}

/** Counts for /health and the supervisor. */
export interface JobCounts {
  inQueue: number;
  inProgress: number;
  completed: number;
  failed: number;
  retried: number;
}

/** A job is queued, running (both: live) or ended, until it is forgotten. */
export interface JobStore {
  /** Undefined when unknown or no longer kept. */
  find(jobId: string): QueuedJob | undefined;
  live(): readonly QueuedJob[];
  ended(): readonly QueuedJob[];
  /** Those that wait, in the order in which they will be taken. */
  queued(): readonly QueuedJob[];
  /** ∅ → queued, behind all others. */
  add(job: QueuedJob): void;
  /** Queued → running, for the first in line; undefined when nothing waits. */
  takeFirst(workerId: string): QueuedJob | undefined;
  /** Running → queued, before all that have not been given out yet. */
  putBack(job: QueuedJob): void;
  /** Live → ended, for ever but for `reopen`. A worker that has it is told to stop, unless it ended the job itself. */
  end(job: QueuedJob, status: TerminalJobStatus, result: JobResult, by: 'worker' | 'platform'): void;
  /** Ended → queued, behind all others, as if just submitted. */
  reopen(job: QueuedJob): void;
  /** Ended → ∅. */
  forget(job: QueuedJob): void;
  /** A job is going to be run once more. */
  countRetry(): void;
  counts(): JobCounts;
}

/** An empty store. */
export function createJobStore(options: JobStoreOptions): JobStore {
  const { clock } = options;
  const jobs = new Map<string, QueuedJob>();
  const live = new Set<QueuedJob>();
  const ended = new Set<QueuedJob>();
  // Two lanes, each in order of arrival: what was given out before does not wait behind newer jobs.
  const returned = new Set<QueuedJob>();
  const waiting = new Set<QueuedJob>();
  const totals = { completed: 0, failed: 0, retried: 0 };

  function enter(job: QueuedJob, lane: Set<QueuedJob>): void {
    job.status = 'IN_QUEUE';
    job.delivery = undefined;
    job.output = undefined;
    job.chunks = [];
    live.add(job);
    lane.add(job);
    options.onQueued();
  }

  return {
    find: (jobId) => jobs.get(jobId),
    live: () => [...live],
    ended: () => [...ended],
    queued: () => [...returned, ...waiting],
    add(job) {
      jobs.set(job.id, job);
      enter(job, waiting);
    },
    takeFirst(workerId) {
      const lane = returned.size > 0 ? returned : waiting;
      const [job] = lane;
      if (!job) return undefined;
      lane.delete(job);
      job.status = 'IN_PROGRESS';
      job.pickedUpAtMs = clock.now();
      job.delivery = { workerId, seenAtMs: clock.now() };
      job.deliveryCount += 1;
      job.workerId = workerId;
      return job;
    },
    putBack: (job) => enter(job, returned),
    end(job, status, result, by) {
      const workerId = job.delivery?.workerId;
      returned.delete(job);
      waiting.delete(job);
      live.delete(job);
      ended.add(job);
      job.status = status;
      job.delivery = undefined;
      job.endedAtMs = clock.now();
      job.endedBy = by;
      job.output = result.output;
      job.error = result.error;
      if (status === 'COMPLETED') totals.completed += 1;
      if (status === 'FAILED') totals.failed += 1;
      options.onEnded(job);
      if (by === 'platform' && workerId !== undefined) options.onStop(workerId, job.id);
    },
    reopen(job) {
      ended.delete(job);
      Object.assign(job, {
        submittedAtMs: clock.now(),
        deliveryCount: 0,
        pickedUpAtMs: undefined,
        endedAtMs: undefined,
        endedBy: undefined,
        workerId: undefined,
        error: undefined,
      } satisfies Partial<QueuedJob>);
      enter(job, waiting);
    },
    forget(job) {
      jobs.delete(job.id);
      ended.delete(job);
    },
    countRetry() {
      totals.retried += 1;
    },
    counts: () => ({
      inQueue: returned.size + waiting.size,
      inProgress: live.size - returned.size - waiting.size,
      ...totals,
    }),
  };
}
