/** Who has which job: given to one worker at a time, kept while it is named in pings, given again when it was lost. */
import type { Clock } from '../clock.ts';
import type { JobStore } from './job-store.ts';
import type { JobResult, QueuedJob } from './queued-job.ts';

/** The rules of delivery. */
export interface DeliveryOptions {
  clock: Clock;
  /** How often a job is handed out at most; a job lost more often ends. */
  maxDeliveries: number;
  /** How such a job ends. */
  lostStatus: 'FAILED' | 'TIMED_OUT';
  /** `workerId` has a job that it should stop: cancelled, timed out, or given to somebody else. */
  onStop(workerId: string, jobId: string): void;
  /** `workerId` has been given the job (again): an older order to stop it is void. */
  onDelivered(workerId: string, jobId: string): void;
}

/** What workers do with jobs; safe to call with unknown ids. */
export interface JobDeliveries {
  /** Gives the oldest queued job to `workerId`; jobs handed back or lost come first. */
  take(workerId: string): QueuedJob | undefined;
  /** The worker never got the job it was given (its connection closed first): as if it had not been taken. */
  handBack(workerId: string, jobId: string): void;
  /** A ping: the worker lives and has these jobs. */
  heartbeat(workerId: string, jobIds: readonly string[]): void;
  /** The worker's process has ended, or it is not fit: what it has is given to others. */
  loseWorker(workerId: string, reason?: string): void;
  /** @returns false when the worker does not have the job (any more): ignored */
  progress(workerId: string, jobId: string, output: unknown): boolean;
  /** @returns false when the worker does not have the job (any more): ignored */
  stream(workerId: string, jobId: string, chunk: unknown): boolean;
  /** @returns false when the worker does not have the job (any more): ignored */
  finish(workerId: string, jobId: string, result: JobResult): boolean;
  hasDelivery(workerId: string): boolean;
}

/** The deliveries, and the way in which the clock ends one. */
export function createJobDeliveries(
  store: JobStore,
  options: DeliveryOptions,
): JobDeliveries & { lose(job: QueuedJob, reason: string): void } {
  const { clock } = options;

  /** The job, if `workerId` has it now; then it has just been heard of. */
  function hearOf(workerId: string, jobId: string): QueuedJob | undefined {
    const job = store.find(jobId);
    if (job?.delivery?.workerId !== workerId) return undefined;
    job.delivery.seenAtMs = clock.now();
    return job;
  }

  function lose(job: QueuedJob, reason: string): void {
    if (job.deliveryCount >= options.maxDeliveries) {
      const error = `The job was given to a worker ${job.deliveryCount} times, and each was lost; at last ${reason}.`;
      store.end(job, options.lostStatus, { error }, 'platform');
      return;
    }
    const workerId = job.delivery?.workerId;
    store.countRetry();
    if (workerId !== undefined) options.onStop(workerId, job.id);
    store.putBack(job);
  }

  return {
    lose,
    take(workerId) {
      const job = store.takeFirst(workerId);
      if (job) options.onDelivered(workerId, job.id);
      return job;
    },
    handBack(workerId, jobId) {
      const job = hearOf(workerId, jobId);
      if (!job) return;
      job.deliveryCount -= 1;
      store.putBack(job);
    },
    heartbeat(workerId, jobIds) {
      for (const jobId of jobIds) {
        if (hearOf(workerId, jobId)) continue;
        const job = store.find(jobId);
        // Named in the moment of its own end: nothing to stop. Anything else it works on in vain (the first order may
        // have been lost).
        const hasJustEnded = job?.endedBy === 'worker' && job.workerId === workerId;
        if (!hasJustEnded) options.onStop(workerId, jobId);
      }
    },
    loseWorker(workerId, reason = `the process of worker ${workerId} ended`) {
      for (const job of store.live()) if (job.delivery?.workerId === workerId) lose(job, reason);
    },
    progress(workerId, jobId, output) {
      const job = hearOf(workerId, jobId);
      if (!job) return false;
      job.output = output;
      return true;
    },
    stream(workerId, jobId, chunk) {
      const job = hearOf(workerId, jobId);
      if (!job) return false;
      job.chunks.push(chunk);
      return true;
    },
    finish(workerId, jobId, result) {
      const job = hearOf(workerId, jobId);
      if (!job) return false;
      store.end(job, result.error === undefined ? 'COMPLETED' : 'FAILED', result, 'worker');
      return true;
    },
    hasDelivery: (workerId) => store.live().some((job) => job.delivery?.workerId === workerId),
  };
}
