/** The endpoint API of the local RunPod: jobs submitted, watched, streamed, withdrawn and queued again, and health. */
import { randomUUID } from 'node:crypto';
import type { EndpointHealth } from '../job-status.ts';
import { isTerminalStatus } from '../job-status.ts';
import { MAX_RUN_BYTES, MAX_RUNSYNC_BYTES } from '../payload-limits.ts';
import { envelopeOf } from './envelope.ts';
import { type Exchange, RefusedRequest } from './exchange.ts';
import type { HeldPolls } from './held-polls.ts';
import type { JobQueue } from './job-queue.ts';
import { isRetryable, type QueuedJob } from './queued-job.ts';
import { type BoundsMs, readMilliseconds, readSubmission } from './submission-body.ts';

/** What the routes work on. */
export interface ClientApiContext {
  queue: JobQueue;
  /** Woken whenever a job has ended. */
  endings: HeldPolls;
  health(): EndpointHealth;
  /** With more jobs than this in the queue, submissions are answered 429; Infinity for no such limit. */
  maxQueuedJobs: number;
}

const WAIT_BOUNDS_MS: Record<'runsync' | 'status-sync', BoundsMs> = {
  runsync: { min: 1_000, max: 300_000 },
  'status-sync': { min: 1_000, max: 90_000 },
};
const DEFAULT_WAIT_MS = 90_000;
const RETENTION_BOUNDS_MS: BoundsMs = { min: 1, max: 7 * 86_400_000 };

/** Operations that RunPod names and this does not answer, and why. */
const UNANSWERED: Readonly<Record<string, string>> = {
  requests:
    'RunPod documents a rate limit for /requests but no reply; the local RunPod does not make one up. Ask /status for each job.',
  batch: 'The local RunPod has no batches (a beta of RunPod). Submit each request by /run.',
};

/**
 * Answers `operation` (the path after the endpoint's id).
 *
 * @returns false when it is none of the endpoint API
 */
export async function handleClientCall(
  context: ClientApiContext,
  exchange: Exchange,
  operation: string,
  jobId: string | undefined,
): Promise<boolean> {
  const call = `${exchange.method} ${operation}${jobId === undefined ? '' : '/id'}`;
  switch (call) {
    case 'POST run':
      await run(context, exchange);
      return true;
    case 'POST runsync':
      await runSync(context, exchange);
      return true;
    case 'GET status/id':
      await status(context, exchange, findJob(context, jobId));
      return true;
    case 'GET status-sync/id': {
      const job = findJob(context, jobId);
      await holdUntilEnded(context, exchange, job, readWait(exchange, 'status-sync'));
      await exchange.reply(200, envelopeOf(job));
      return true;
    }
    case 'GET stream/id':
      await stream(context, exchange, findJob(context, jobId));
      return true;
    case 'POST retry/id': {
      const job = findJob(context, jobId);
      if (!isRetryable(job)) {
        throw new RefusedRequest(
          400,
          `A job that is retried should be FAILED or TIMED_OUT, but is ${job.status}.`,
        );
      }
      context.queue.retry(job.id);
      await exchange.reply(200, { id: job.id, status: 'IN_QUEUE' });
      return true;
    }
    case 'POST purge-queue':
      await exchange.reply(200, { removed: context.queue.purge(), status: 'completed' });
      return true;
    case 'POST cancel/id': {
      const job = findJob(context, jobId);
      context.queue.cancel(job.id);
      await exchange.reply(200, envelopeOf(job));
      return true;
    }
    case 'GET health':
      await exchange.reply(200, context.health());
      return true;
  }
  const unanswered = UNANSWERED[operation];
  if (unanswered !== undefined) throw new RefusedRequest(501, unanswered);
  return false;
}

async function run(context: ClientApiContext, exchange: Exchange): Promise<void> {
  const submission = await readSubmission(exchange, MAX_RUN_BYTES);
  refuseWhenFull(context);
  const job = context.queue.submit({ ...submission, id: `${randomUUID()}-e1`, kind: 'run' });
  await exchange.reply(200, { id: job.id, status: 'IN_QUEUE' });
}

async function runSync(context: ClientApiContext, exchange: Exchange): Promise<void> {
  const waitMs = readWait(exchange, 'runsync');
  const submission = await readSubmission(exchange, MAX_RUNSYNC_BYTES);
  refuseWhenFull(context);
  const job = context.queue.submit({ ...submission, id: `sync-${randomUUID()}-e1`, kind: 'runsync' });
  await holdUntilEnded(context, exchange, job, waitMs);
  await exchange.reply(
    200,
    isTerminalStatus(job.status) ? envelopeOf(job) : { id: job.id, status: job.status },
  );
}

function refuseWhenFull({ queue, maxQueuedJobs }: ClientApiContext): void {
  if (queue.counts().inQueue < maxQueuedJobs) return;
  throw new RefusedRequest(429, `The queue may hold ${maxQueuedJobs} jobs, and is full.`);
}

async function status(context: ClientApiContext, exchange: Exchange, job: QueuedJob): Promise<void> {
  const ttl = exchange.query.get('ttl');
  if (ttl !== null) {
    const ttlMs = readMilliseconds('ttl', Number(ttl), RETENTION_BOUNDS_MS);
    context.queue.shortenRetention(job.id, ttlMs);
  }
  await exchange.reply(200, envelopeOf(job));
}

/** Each chunk goes to one reply: RunPod's SDKs keep no place in the stream. */
async function stream(context: ClientApiContext, exchange: Exchange, job: QueuedJob): Promise<void> {
  const { chunks, giveBack } = context.queue.takeChunks(job.id);
  const hasArrived = await exchange.reply(200, { status: job.status, stream: chunks });
  if (!hasArrived) giveBack();
}

async function holdUntilEnded(
  context: ClientApiContext,
  exchange: Exchange,
  job: QueuedJob,
  waitMs: number,
): Promise<void> {
  await context.endings.hold(() => (isTerminalStatus(job.status) ? true : undefined), {
    holdMs: waitMs,
    signal: exchange.callerGone,
  });
}

function findJob(context: ClientApiContext, jobId: string | undefined): QueuedJob {
  const job = context.queue.find(jobId ?? '');
  if (!job) throw new RefusedRequest(404, `There is no job ${jobId}, or it is no longer kept.`);
  return job;
}

function readWait(exchange: Exchange, operation: keyof typeof WAIT_BOUNDS_MS): number {
  const text = exchange.query.get('wait');
  if (text === null) return DEFAULT_WAIT_MS;
  return readMilliseconds('wait', Number(text), WAIT_BOUNDS_MS[operation]);
}
