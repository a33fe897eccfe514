/** The platform's side of the worker protocol: job-take, job-stop, ping, and the posts about jobs. */
import { type Clock, pause } from '../clock.ts';
import type { Exchange } from './exchange.ts';
import type { HeldPolls } from './held-polls.ts';
import type { QueuedJob } from './queued-job.ts';
import { acceptChunk, acceptResult, type WorkerPostContext } from './worker-posts.ts';
import type { WorkerRegistry } from './worker-registry.ts';

/** What the routes work on. Times in milliseconds. */
export interface WorkerApiContext extends WorkerPostContext {
  workers: WorkerRegistry;
  /** Woken when a job is queued. */
  takes: HeldPolls;
  /** Woken when a worker has something to stop. */
  stops: HeldPolls;
  pollHoldMs: number;
  /** What a take is answered when no job comes: 204, or 400 as from endpoints with FlashBoot. */
  emptyTakeStatus: 204 | 400;
  clock: Clock;
  /** A worker says that it is not fit; called once, after it has been taken out of rotation. */
  onUnhealthy(workerId: string, complaint: string): void;
}

/**
 * How long a worker that gets no more jobs is held: long enough that it does not spin until its SIGTERM arrives, short
 * enough for SDKs that look at their shutdown flag only between polls (runpod-python).
 */
const DRAINING_HOLD_MS = 500;

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
      context.workers.see(workerId);
      await take(context, exchange, workerId, 1);
      return true;
    case 'GET job-take-batch':
      context.workers.see(workerId);
      await take(context, exchange, workerId, Math.max(1, Number(exchange.query.get('batch_size')) || 1));
      return true;
    case 'GET job-stop':
      context.workers.see(workerId);
      await takeStops(context, exchange, workerId);
      return true;
    case 'POST job-done':
      if (jobId === undefined) return false;
      context.workers.see(workerId);
      await acceptResult(context, exchange, workerId, jobId);
      return true;
    case 'POST job-stream':
      if (jobId === undefined) return false;
      context.workers.see(workerId);
      await acceptChunk(context, exchange, workerId, jobId);
      return true;
    case 'GET ping':
      ping(context, exchange.query, workerId);
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
  const { queue, workers, takes, emptyTakeStatus } = context;
  if (!workers.mayTake(workerId)) {
    await pause(context.clock, DRAINING_HOLD_MS, exchange.callerGone);
    await exchange.reply(emptyTakeStatus);
    return;
  }
  const jobs = await takes.hold(
    () => {
      // Ends the poll that was held when the stopping began.
      if (!workers.mayTake(workerId)) return [];
      const taken = takeUpTo(limit, () => queue.take(workerId));
      return taken.length > 0 ? taken : undefined;
    },
    { holdMs: context.pollHoldMs, signal: exchange.callerGone },
  );
  if (!jobs || jobs.length === 0) {
    await exchange.reply(emptyTakeStatus);
    return;
  }
  const isBatch = exchange.segments.includes('job-take-batch');
  const bodies = jobs.map((job) => ({ id: job.id, input: job.input, ...job.extras }));
  const hasArrived = await exchange.reply(200, isBatch ? bodies : bodies[0]);
  if (hasArrived) return;
  // A poller that left must not swallow a job.
  for (const job of jobs) queue.handBack(workerId, job.id);
}

function takeUpTo(limit: number, takeOne: () => QueuedJob | undefined): QueuedJob[] {
  const taken: QueuedJob[] = [];
  while (taken.length < limit) {
    const job = takeOne();
    if (!job) break;
    taken.push(job);
  }
  return taken;
}

async function takeStops(context: WorkerApiContext, exchange: Exchange, workerId: string): Promise<void> {
  const { workers } = context;
  const mayTake = workers.mayTake(workerId);
  const jobIds = await context.stops.hold(
    () => workers.takeStops(workerId) ?? (mayTake && !workers.mayTake(workerId) ? [] : undefined),
    { holdMs: mayTake ? context.pollHoldMs : DRAINING_HOLD_MS, signal: exchange.callerGone },
  );
  const hasArrived = jobIds?.length
    ? await exchange.reply(200, { jobsToStop: jobIds })
    : await exchange.reply(204);
  if (!hasArrived) for (const jobId of jobIds ?? []) workers.orderStop(workerId, jobId);
}

function ping(context: WorkerApiContext, query: URLSearchParams, workerId: string): void {
  const { workers } = context;
  workers.see(workerId);
  if (query.get('status') === 'unhealthy') {
    if (workers.isUnhealthy(workerId)) return;
    workers.markUnhealthy(workerId);
    const complaint = `${query.get('check') ?? 'a check without name'}: ${query.get('reason') ?? 'no reason given'}`;
    context.logger.warn(
      { workerId },
      `A worker says that it is not fit (${complaint}): it gets no more jobs.`,
    );
    context.onUnhealthy(workerId, complaint);
    return;
  }
  const jobIds = (query.get('job_id') ?? '').split(',').filter(Boolean);
  context.queue.heartbeat(workerId, jobIds);
}
