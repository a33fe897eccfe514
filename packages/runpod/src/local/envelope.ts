/** A job as the endpoint API shows it. */
import type { JobEnvelope } from '../job-status.ts';
import type { QueuedJob } from './queued-job.ts';

/** What /status, /runsync and the webhook say about `job` now. */
export function envelopeOf(job: QueuedJob): JobEnvelope {
  const envelope: JobEnvelope = { id: job.id, status: job.status };
  if (job.pickedUpAtMs !== undefined) envelope.delayTime = job.pickedUpAtMs - job.submittedAtMs;
  if (job.pickedUpAtMs !== undefined && job.endedAtMs !== undefined) {
    envelope.executionTime = job.endedAtMs - job.pickedUpAtMs;
  }
  if (job.workerId !== undefined) envelope.workerId = job.workerId;
  if (job.output !== undefined) envelope.output = job.output;
  if (job.error !== undefined) envelope.error = job.error;
  if (job.deliveryCount > 1) envelope.retries = job.deliveryCount - 1;
  return envelope;
}
