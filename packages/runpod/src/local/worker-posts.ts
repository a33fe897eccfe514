/** What workers post about their jobs: progress, results, chunks of streams, and what the platform makes of bad ones. */
import type { Logger } from '../logger.ts';
import { MAX_RUN_BYTES, MAX_RUNSYNC_BYTES, MAX_STREAM_CHUNK_BYTES } from '../payload-limits.ts';
import { type Exchange, RefusedRequest } from './exchange.ts';
import type { JobQueue } from './job-queue.ts';
import { parseObject } from './json-object.ts';
import type { JobResult } from './queued-job.ts';

/** How a bad result ends its job: as it is reported of RunPod, or so that nobody can miss it. */
export type BadResultEnd = 'COMPLETED' | 'FAILED';

/** What the posts work on. */
export interface WorkerPostContext {
  queue: JobQueue;
  /** Of a result beyond the size limit (worker-comfyui #129, #167). The post is answered 400 either way. */
  oversizeResult: BadResultEnd;
  /** Of a result whose `error` is no string (runpod-python #299). */
  nonStringError: BadResultEnd;
  logger: Logger;
}

/** By the job's kind. */
const MAX_RESULT_BYTES = { run: MAX_RUN_BYTES, runsync: MAX_RUNSYNC_BYTES };

/** True for a post to job-done that reports progress and ends nothing. */
export function isProgress(body: Record<string, unknown> | undefined): boolean {
  return body?.['status'] === 'IN_PROGRESS';
}

/** POST job-done: progress or the result. */
export async function acceptResult(
  context: WorkerPostContext,
  exchange: Exchange,
  workerId: string,
  jobId: string,
): Promise<void> {
  const { queue, logger } = context;
  const maxBytes = MAX_RESULT_BYTES[queue.find(jobId)?.kind ?? 'run'];
  const text = await exchange.readBody(maxBytes);
  if (text === undefined) {
    queue.finish(workerId, jobId, oversizeResult(context, jobId, maxBytes));
    throw new RefusedRequest(400, `The result may be ${maxBytes} bytes at most.`);
  }
  const body = parseObject(text);
  if (!body) throw new RefusedRequest(400, 'The body should be a JSON object.');
  const isAccepted = isProgress(body)
    ? queue.progress(workerId, jobId, body['output'])
    : queue.finish(workerId, jobId, readResult(context, jobId, body));
  if (!isAccepted)
    logger.info({ requestId: jobId, workerId }, 'Ignored a post for a job that the worker does not have.');
  await exchange.reply(200, { ignored: !isAccepted });
}

/** POST job-stream: one chunk. */
export async function acceptChunk(
  { queue, logger }: WorkerPostContext,
  exchange: Exchange,
  workerId: string,
  jobId: string,
): Promise<void> {
  const text = await exchange.readBody(MAX_STREAM_CHUNK_BYTES);
  if (text === undefined) {
    logger.warn({ requestId: jobId, workerId }, 'A chunk of a stream was too large and is lost.');
    throw new RefusedRequest(400, `A chunk may be ${MAX_STREAM_CHUNK_BYTES} bytes at most.`);
  }
  const chunk = parseObject(text);
  if (chunk?.['output'] === undefined) {
    throw new RefusedRequest(400, 'The body should be a JSON object with an "output".');
  }
  const isAccepted = queue.stream(workerId, jobId, chunk);
  if (!isAccepted)
    logger.info({ requestId: jobId, workerId }, 'Ignored a chunk of a job that the worker does not have.');
  await exchange.reply(200, { ignored: !isAccepted });
}

function oversizeResult(context: WorkerPostContext, jobId: string, maxBytes: number): JobResult {
  const hasFailed = context.oversizeResult === 'FAILED';
  context.logger.warn(
    { requestId: jobId },
    `A result was larger than ${maxBytes} bytes and is lost; the job ends ${hasFailed ? 'FAILED' : 'COMPLETED without output'}.`,
  );
  return hasFailed ? { error: `The result was larger than ${maxBytes} bytes.` } : {};
}

function readResult(context: WorkerPostContext, jobId: string, body: Record<string, unknown>): JobResult {
  const { error, output } = body;
  if (error === undefined || error === null) return { output };
  if (typeof error === 'string') return { error, output };
  if (context.nonStringError === 'FAILED') return { error: JSON.stringify(error), output };
  context.logger.warn(
    { requestId: jobId },
    'A result had an error that is no string: the job ends COMPLETED without output.',
  );
  return {};
}
