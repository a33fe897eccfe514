/** The endpoint API of the local RunPod: jobs submitted, watched, streamed, withdrawn and queued again, and health. */
import { randomUUID } from 'node:crypto';
import type { EndpointHealth, JobPolicy } from '../job-status.ts';
import { isTerminalStatus } from '../job-status.ts';
import { MAX_RUN_BYTES, MAX_RUNSYNC_BYTES } from '../payload-limits.ts';
import { envelopeOf } from './envelope.ts';
import type { HeldPolls } from './held-polls.ts';
import { type Exchange, RefusedRequest } from './http-server.ts';
import { isRetryable, type JobQueue, type QueuedJob, type Submission } from './job-queue.ts';

/** What the routes work on. */
export interface ClientApiContext {
  queue: JobQueue;
  /** Woken whenever a job has ended. */
  endings: HeldPolls;
  health(): EndpointHealth;
}

const WAIT_BOUNDS_MS = {
  runsync: { min: 1_000, max: 300_000 },
  'status-sync': { min: 1_000, max: 90_000 },
};
const DEFAULT_WAIT_MS = 90_000;
const DAY_MS = 86_400_000;
/** RunPod's bounds of the policy's times. */
const POLICY_BOUNDS_MS = {
  executionTimeout: { min: 5_000, max: 7 * DAY_MS },
  ttl: { min: 10_000, max: 7 * DAY_MS },
};

/** Operations that RunPod has and this does not have yet. */
const NOT_YET = new Set(['requests', 'batch']);

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
  if (NOT_YET.has(operation)) throw new RefusedRequest(501, `The local RunPod has no /${operation} yet.`);
  return false;
}

async function run(context: ClientApiContext, exchange: Exchange): Promise<void> {
  const submission = await readSubmission(exchange, MAX_RUN_BYTES);
  const job = context.queue.submit({ ...submission, id: `${randomUUID()}-e1`, kind: 'run' });
  await exchange.reply(200, { id: job.id, status: 'IN_QUEUE' });
}

async function runSync(context: ClientApiContext, exchange: Exchange): Promise<void> {
  const waitMs = readWait(exchange, 'runsync');
  const submission = await readSubmission(exchange, MAX_RUNSYNC_BYTES);
  const job = context.queue.submit({ ...submission, id: `sync-${randomUUID()}-e1`, kind: 'runsync' });
  await holdUntilEnded(context, exchange, job, waitMs);
  await exchange.reply(
    200,
    isTerminalStatus(job.status) ? envelopeOf(job) : { id: job.id, status: job.status },
  );
}

async function status(context: ClientApiContext, exchange: Exchange, job: QueuedJob): Promise<void> {
  const ttl = exchange.query.get('ttl');
  if (ttl !== null) {
    const ttlMs = readMilliseconds('ttl', Number(ttl), { min: 1, max: 7 * DAY_MS });
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

async function readSubmission(
  exchange: Exchange,
  maxBytes: number,
): Promise<Omit<Submission, 'id' | 'kind'>> {
  const text = await exchange.readBody(maxBytes);
  if (text === undefined) throw new RefusedRequest(400, `The body may be ${maxBytes} bytes at most.`);
  const body = parseObject(text);
  if (!body) throw new RefusedRequest(400, 'The body should be a JSON object.');
  if (body['input'] === undefined || body['input'] === null) {
    throw new RefusedRequest(400, 'The body should have an "input".');
  }
  const { webhook, s3Config } = body;
  if (webhook !== undefined && !(typeof webhook === 'string' && URL.canParse(webhook))) {
    throw new RefusedRequest(400, `webhook should be a URL, but is ${JSON.stringify(webhook)}.`);
  }
  return {
    input: body['input'],
    webhook,
    policy: readPolicy(body['policy']),
    // RunPod passes these on and throws other keys away.
    extras: {
      ...(webhook === undefined ? {} : { webhook }),
      ...(s3Config === undefined ? {} : { s3Config }),
    },
  };
}

function readPolicy(value: unknown): JobPolicy | undefined {
  if (value === undefined || value === null) return undefined;
  if (typeof value !== 'object') throw new RefusedRequest(400, 'policy should be an object.');
  const policy: JobPolicy = {};
  for (const name of ['executionTimeout', 'ttl'] as const) {
    const limitMs = (value as Record<string, unknown>)[name];
    if (limitMs !== undefined)
      policy[name] = readMilliseconds(`policy.${name}`, limitMs, POLICY_BOUNDS_MS[name]);
  }
  const { lowPriority } = value as { lowPriority?: unknown };
  if (lowPriority !== undefined) {
    if (typeof lowPriority !== 'boolean') {
      throw new RefusedRequest(
        400,
        `policy.lowPriority should be a boolean, but is ${JSON.stringify(lowPriority)}.`,
      );
    }
    policy.lowPriority = lowPriority;
  }
  return policy;
}

function readMilliseconds(name: string, value: unknown, bounds: { min: number; max: number }): number {
  if (typeof value === 'number' && value >= bounds.min && value <= bounds.max) return value;
  throw new RefusedRequest(400, `${name} should be ${bounds.min} to ${bounds.max} ms, but is ${value}.`);
}

/** The object that `text` holds as JSON; undefined for anything else. */
export function parseObject(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : undefined;
  } catch {
    // The caller says what was expected instead.
    return undefined;
  }
}
