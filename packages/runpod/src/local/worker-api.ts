/** The platform's side of the worker protocol: job-take, job-done, job-stream, job-stop, ping. */
import { type Clock, pause } from '../clock.ts';
import type { Logger } from '../logger.ts';
import { MAX_RUN_BYTES, MAX_RUNSYNC_BYTES, MAX_STREAM_CHUNK_BYTES } from '../payload-limits.ts';
import { parseObject } from './client-api.ts';
import type { HeldPolls } from './held-polls.ts';
import { type Exchange, RefusedRequest } from './http-server.ts';
import type { JobQueue, JobResult, QueuedJob } from './job-queue.ts';
import type { WorkerRegistry } from './worker-registry.ts';

/** What the routes work on. Times in milliseconds. */
export interface WorkerApiContext {
  queue: JobQueue;
  workers: WorkerRegistry;
  /** Woken when a job is queued. */
  takes: HeldPolls;
  /** Woken when a worker has something to stop. */
  stops: HeldPolls;
  pollHoldMs: number;
  clock: Clock;
  logger: Logger;
}

/**
 * How long a worker that is being stopped is held: long enough that it does not spin until its SIGTERM arrives, short
 * enough for SDKs that look at their shutdown flag only between polls (runpod-python).
 */
const DRAINING_HOLD_MS = 500;

/** By the job's kind. */
const MAX_RESULT_BYTES = { run: MAX_RUN_BYTES, runsync: MAX_RUNSYNC_BYTES };

/**
 * Answers `operation` of worker `workerId`.
 *
 * @returns false when it is none of the worker protocol
 */
export async function handleWorkerCall(
  context: WorkerApiContext,
  exchange: Exchange,
  operation: string,
  workerId: string | undefined,
  jobId: string | undefined,
): Promise<boolean> {
  if (workerId === undefined) return false;
  switch (`${exchange.method} ${operation}`) {
    case 'GET job-take':
      await take(context, exchange, workerId, 1);
      return true;
    case 'GET job-take-batch':
      await take(context, exchange, workerId, Math.max(1, Number(exchange.query.get('batch_size')) || 1));
      return true;
    case 'GET job-stop':
      await takeStops(context, exchange, workerId);
      return true;
    case 'POST job-done':
      if (jobId === undefined) return false;
      await finish(context, exchange, workerId, jobId);
      return true;
    case 'POST job-stream':
      if (jobId === undefined) return false;
      await acceptChunk(context, exchange, workerId, jobId);
      return true;
    case 'GET ping':
      ping(context, exchange, workerId);
      await exchange.reply(200, {});
      return true;
    default:
      return false;
  }
}

async function take(
  context: WorkerApiContext,
  exchange: Exchange,
  workerId: string,
  limit: number,
): Promise<void> {
  const { queue, workers } = context;
  workers.see(workerId);
  if (workers.isDraining(workerId)) {
    await pause(context.clock, DRAINING_HOLD_MS, exchange.callerGone);
    await exchange.reply(204);
    return;
  }
  const jobs = await context.takes.hold(
    () => {
      // Ends the poll that was held when the stopping began.
      if (workers.isDraining(workerId)) return [];
      const taken: QueuedJob[] = [];
      for (
        let job = queue.take(workerId);
        job;
        job = taken.length < limit ? queue.take(workerId) : undefined
      ) {
        taken.push(job);
      }
      return taken.length > 0 ? taken : undefined;
    },
    { holdMs: context.pollHoldMs, signal: exchange.callerGone },
  );
  if (!jobs || jobs.length === 0) {
    await exchange.reply(204);
    return;
  }
  const isBatch = exchange.segments.includes('job-take-batch');
  const bodies = jobs.map((job) => ({ id: job.id, input: job.input, ...job.extras }));
  const hasArrived = await exchange.reply(200, isBatch ? bodies : bodies[0]);
  if (hasArrived) return;
  // A poller that left must not swallow a job.
  for (const job of jobs) queue.handBack(workerId, job.id);
}

async function takeStops(context: WorkerApiContext, exchange: Exchange, workerId: string): Promise<void> {
  const { workers } = context;
  workers.see(workerId);
  const wasDraining = workers.isDraining(workerId);
  const jobIds = await context.stops.hold(
    () => workers.takeStops(workerId) ?? (workers.isDraining(workerId) && !wasDraining ? [] : undefined),
    { holdMs: wasDraining ? DRAINING_HOLD_MS : context.pollHoldMs, signal: exchange.callerGone },
  );
  const hasArrived = jobIds?.length
    ? await exchange.reply(200, { jobsToStop: jobIds })
    : await exchange.reply(204);
  if (!hasArrived) for (const jobId of jobIds ?? []) workers.orderStop(workerId, jobId);
}

async function finish(
  context: WorkerApiContext,
  exchange: Exchange,
  workerId: string,
  jobId: string,
): Promise<void> {
  const { queue, workers, logger } = context;
  workers.see(workerId);
  const kind = queue.find(jobId)?.kind ?? 'run';
  const text = await exchange.readBody(MAX_RESULT_BYTES[kind]);
  if (text === undefined) {
    // So reported of the platform (worker-comfyui #129, #167): refused, and the job ends without its output.
    logger.warn(
      { requestId: jobId, workerId },
      'A result was too large and is lost; the job ends without output.',
    );
    queue.finish(workerId, jobId, {});
    throw new RefusedRequest(400, `The result may be ${MAX_RESULT_BYTES[kind]} bytes at most.`);
  }
  const body = parseObject(text);
  if (!body) throw new RefusedRequest(400, 'The body should be a JSON object.');
  const isAccepted =
    body['status'] === 'IN_PROGRESS'
      ? queue.progress(workerId, jobId, body['output'])
      : queue.finish(workerId, jobId, readResult(body, jobId, logger));
  if (!isAccepted)
    logger.info({ requestId: jobId, workerId }, 'Ignored a post for a job that the worker does not have.');
  await exchange.reply(200, { ignored: !isAccepted });
}

async function acceptChunk(
  { queue, workers, logger }: WorkerApiContext,
  exchange: Exchange,
  workerId: string,
  jobId: string,
): Promise<void> {
  workers.see(workerId);
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

function readResult(body: Record<string, unknown>, jobId: string, logger: Logger): JobResult {
  const { error, output } = body;
  if (error === undefined || error === null) return { output };
  if (typeof error === 'string') return { error, output };
  // So reported of the platform (runpod-python #299): an error that is no string is thrown away with the output.
  logger.warn(
    { requestId: jobId },
    'A result had an error that is no string: the job ends COMPLETED without output.',
  );
  return {};
}

function ping(context: WorkerApiContext, exchange: Exchange, workerId: string): void {
  context.workers.see(workerId);
  const jobIds = (exchange.query.get('job_id') ?? '').split(',').filter(Boolean);
  context.queue.heartbeat(workerId, jobIds);
}
