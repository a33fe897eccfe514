/** The queue as both sides of the API see it: clients submit and withdraw, workers take and finish, time does the rest. */
import { isTerminalStatus } from '../job-status.ts';
import { createJobDeliveries, type DeliveryOptions, type JobDeliveries } from './job-deliveries.ts';
import { createJobExpiry, type JobExpiryOptions } from './job-expiry.ts';
import { createJobStore, type JobCounts, type JobStoreOptions } from './job-store.ts';
import { isRetryable, type JobDefaults, type QueuedJob, queuedJobOf, type Submission } from './queued-job.ts';

/** The queue's numbers, and whom it tells. Times in milliseconds. */
export interface JobQueueOptions
  extends JobDefaults,
    JobStoreOptions,
    DeliveryOptions,
    Omit<JobExpiryOptions, 'lose'> {}

/** Chunks on their way to a client. */
interface TakenChunks {
  chunks: unknown[];
  /** They did not arrive: the next fetch begins with them. */
  giveBack(): void;
}

/** Synchronous, in memory, told the time; every function is safe to call with unknown ids. */
export interface JobQueue extends JobDeliveries {
  submit(submission: Submission): QueuedJob;
  /** Undefined when unknown or no longer kept. */
  find(jobId: string): QueuedJob | undefined;
  /** What has been streamed since the last call. */
  takeChunks(jobId: string): TakenChunks;
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
  counts(): JobCounts;
  /** How many jobs ask for a worker: all that have not ended, but for queued ones of low priority. */
  demand(): number;
}

/** An empty queue. */
export function createJobQueue(options: JobQueueOptions): JobQueue {
  const { clock, heartbeatTimeoutMs } = options;
  const store = createJobStore(options);
  const { lose, ...deliveries } = createJobDeliveries(store, options);
  return {
    ...deliveries,
    find: store.find,
    counts: store.counts,
    expire: createJobExpiry(store, { clock, heartbeatTimeoutMs, lose }),
    submit(submission) {
      const job = queuedJobOf(submission, options, clock.now());
      store.add(job);
      return job;
    },
    takeChunks(jobId) {
      const source = store.find(jobId)?.chunks ?? [];
      const chunks = source.splice(0);
      return { chunks, giveBack: () => source.unshift(...chunks) };
    },
    cancel(jobId) {
      const job = store.find(jobId);
      if (job && !isTerminalStatus(job.status)) store.end(job, 'CANCELLED', {}, 'platform');
      return job;
    },
    retry(jobId) {
      const job = store.find(jobId);
      if (!job || !isRetryable(job)) return false;
      store.reopen(job);
      store.countRetry();
      return true;
    },
    purge() {
      const queued = store.queued();
      for (const job of queued) store.end(job, 'CANCELLED', {}, 'platform');
      return queued.length;
    },
    shortenRetention(jobId, retentionMs) {
      const job = store.find(jobId);
      if (job) job.retentionMs = Math.min(job.retentionMs, retentionMs);
    },
    demand: () => store.live().filter((job) => job.delivery !== undefined || !job.lowPriority).length,
  };
}
