/** What time alone does to jobs: ttl, executionTimeout, missing heartbeats, and the end of retention. */
import type { Clock } from '../clock.ts';
import type { JobStore } from './job-store.ts';
import type { QueuedJob } from './queued-job.ts';

/** The clock's part. */
export interface JobExpiryOptions {
  clock: Clock;
  /** A delivery whose worker has not named the job for so long is lost. */
  heartbeatTimeoutMs: number;
  /** Takes the job from a worker that is lost. */
  lose(job: QueuedJob, reason: string): void;
}

/** @returns what applies all that has become due; called every tick */
export function createJobExpiry(store: JobStore, options: JobExpiryOptions): () => void {
  const { clock, heartbeatTimeoutMs } = options;
  let expiredAtMs = clock.now();

  function expireLive(job: QueuedJob, nowMs: number): void {
    if (nowMs - job.submittedAtMs >= job.ttlMs) {
      const error = `The job's ttl of ${job.ttlMs} ms has passed.`;
      store.end(job, 'TIMED_OUT', { error }, 'platform');
      // Not only ended: RunPod deletes it, so that /status answers 404 from here on.
      store.forget(job);
      return;
    }
    if (!job.delivery) return;
    if (nowMs - (job.pickedUpAtMs ?? nowMs) >= job.executionTimeoutMs) {
      const error = `The job ran longer than ${job.executionTimeoutMs} ms.`;
      store.end(job, 'TIMED_OUT', { error }, 'platform');
    } else if (nowMs - job.delivery.seenAtMs >= heartbeatTimeoutMs) {
      options.lose(job, `worker ${job.delivery.workerId} stopped reporting it`);
    }
  }

  return () => {
    const nowMs = clock.now();
    // When this process itself slept (a closed laptop), silence is no sign of a lost worker.
    const hasSlept = nowMs - expiredAtMs > heartbeatTimeoutMs / 2;
    expiredAtMs = nowMs;
    for (const job of store.live()) {
      if (hasSlept && job.delivery) job.delivery.seenAtMs = nowMs;
      expireLive(job, nowMs);
    }
    for (const job of store.ended()) {
      if (nowMs - (job.endedAtMs ?? nowMs) >= job.retentionMs) store.forget(job);
    }
  };
}
