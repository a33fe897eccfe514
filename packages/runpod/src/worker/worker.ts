/** A RunPod worker: takes jobs, runs them, stops them when told, and ends without dropping one. */
import { type Clock, pause, systemClock } from '../clock.ts';
import { describeError, RunpodError } from '../errors.ts';
import { type Logger, silentLogger } from '../logger.ts';
import { type ConcurrencyModifier, createConcurrency } from './concurrency.ts';
import { type FitnessCheck, findUnfitness } from './fitness.ts';
import { type Heartbeat, pingUnhealthy, startHeartbeat } from './heartbeat.ts';
import { createHttpConnections } from './http-connections.ts';
import type { Handler, Job, StreamingHandler } from './job.ts';
import { createJobRoster } from './job-roster.ts';
import { type JobRunContext, startJobRun } from './job-run.ts';
import { holdLifeline } from './lifeline.ts';
import type { OffloadResult } from './offload.ts';
import { createPlatformApi } from './platform-api.ts';
import { platformResultLimitBytes } from './result.ts';
import { deliverLeftovers } from './result-delivery.ts';
import { noSpool, openResultSpool } from './result-spool.ts';
import type { WorkerSettings } from './settings.ts';
import { takeStops } from './stop-loop.ts';
import { takeJobs } from './take-loop.ts';

/** What a worker is made of; only the first two are needed. */
export interface WorkerOptions<Input, Output> {
  settings: WorkerSettings;
  /** A streaming handler's output is one chunk. */
  handler: Handler<Input, Output> | StreamingHandler<Input, Output>;
  /** Puts all chunks of a streaming handler into the final output too; default false: that is `[]`. */
  aggregate?: boolean | undefined;
  /**
   * Every job gets a new worker: its result asks the platform for one, and this one ends; default false. A handler asks
   * for the same, once, by a `refresh_worker: true` in the object that it returns.
   */
  refreshWorker?: boolean | undefined;
  /**
   * Run in this order before the first take and the first ping. When one fails, the platform is told that the worker is
   * unhealthy, and `stopped` rejects with RunpodError `worker_unhealthy`: end the process with a status other than 0.
   */
  fitnessChecks?: readonly FitnessCheck[] | undefined;
  /** Silent by default; see `createPlatformLogger`. */
  logger?: Logger | undefined;
  /** How many jobs run at a time; default one. */
  concurrencyModifier?: ConcurrencyModifier | undefined;
  /** Gets what is too large to be posted and returns what is posted in its place; default: such a job fails. */
  offloadResult?: OffloadResult<Input> | undefined;
  /**
   * Where results are kept until the platform has them. What a process that died or lost the network left there is
   * delivered by the next worker with the same folder, before its first take. Default: kept in memory alone.
   */
  spoolFolder?: string | undefined;
  /**
   * A watchdog: when this thread's event loop has been blocked for so long, the platform is told that the worker is
   * unhealthy (check `event_loop`) and the process ends by SIGKILL. Default: a handler may block for as long as it likes.
   */
  stuckAfterMs?: number | undefined;
  /** Largest result body in bytes; default: the platform's 10 MB, 20 MB for /runsync jobs. */
  maxResultBytes?: number | undefined;
  /** Least time between two progress posts of a job; default 500 ms. */
  progressIntervalMs?: number | undefined;
  /** How long a result is tried before its slot is freed; default 5 minutes. One in the spool is tried again later. */
  resultDeliveryMs?: number | undefined;
  /** Time for a handler to settle after shutdown's deadline, and then for the last post; default 5 000 ms each. */
  abortGraceMs?: number | undefined;
  clock?: Clock | undefined;
  random?: (() => number) | undefined;
}

/** A running worker. It installs no signal handlers: its program decides what SIGTERM means. */
export interface Worker {
  /**
   * Resolves when the worker has ended, by `shutdown` or for a refresh; rejects when a fitness check failed
   * (`worker_unhealthy`), else only on a defect in this package.
   */
  readonly stopped: Promise<void>;
  /**
   * Takes no more jobs, lets those that it has finish for `deadlineMs` (default 20 000), then aborts them and posts
   * retryable `worker_shutdown` errors. Resolves as `stopped`. A later call may bring the deadline forward.
   */
  shutdown(options?: { deadlineMs?: number }): Promise<void>;
}

const DEFAULT_SHUTDOWN_DEADLINE_MS = 20_000;
/** What is in the spool goes first, but a platform that refuses old results must not keep a worker from new jobs. */
const LEFTOVERS_HEAD_START_MS = 10_000;

/** Starts to take jobs at once, or when the fitness checks have passed. */
export function startWorker<Input = unknown, Output = unknown>(
  options: WorkerOptions<Input, Output>,
): Worker {
  const { settings } = options;
  const logger = options.logger ?? silentLogger;
  const clock = options.clock ?? systemClock;
  const random = options.random ?? Math.random;
  const connections = createHttpConnections();
  const api = createPlatformApi(settings, connections, clock);
  const draining = new AbortController();
  const drained = new AbortController();
  let heartbeat: Heartbeat | undefined;
  const spool =
    options.spoolFolder === undefined
      ? noSpool
      : openResultSpool({ folder: options.spoolFolder, resultUrl: settings.resultUrl, clock, logger });

  const runContext: JobRunContext<Input, Output> = {
    api,
    handler: options.handler,
    aggregate: options.aggregate ?? false,
    refreshWorker: options.refreshWorker ?? false,
    workerId: settings.workerId,
    offloadResult: options.offloadResult,
    spool,
    maxResultBytes: (jobId) => options.maxResultBytes ?? platformResultLimitBytes(jobId),
    progressIntervalMs: options.progressIntervalMs ?? 500,
    resultDeliveryMs: options.resultDeliveryMs ?? 300_000,
    abortGraceMs: options.abortGraceMs ?? 5_000,
    clock,
    random,
    logger,
  };

  const roster = createJobRoster<Input>({
    start: (job, isExpired) =>
      startJobRun(job, 'input' in job ? runContext : { ...runContext, handler: refuseJob }, isExpired),
    onChange: (jobIds) => heartbeat?.setJobs(jobIds),
    onRefresh(jobId) {
      logger.info({ requestId: jobId }, 'This job refreshes the worker: no more jobs are taken.');
      draining.abort();
    },
    onDropped: (jobId) =>
      logger.info({ requestId: jobId }, 'Stopped by the platform before it started; nothing is posted.'),
  });

  async function checkFitness(): Promise<void> {
    const signal = draining.signal;
    const unfitness = await findUnfitness(options.fitnessChecks ?? [], { signal, clock, logger });
    if (!unfitness) return;
    const { check, reason, thrown } = unfitness;
    await pingUnhealthy(settings, unfitness, { connections, clock, logger });
    const message = `The worker is not fit for jobs: fitness check "${check}" failed: ${reason.replace(/\.+$/, '')}.`;
    throw new RunpodError('worker_unhealthy', message, { cause: thrown });
  }

  async function serve(): Promise<void> {
    if (draining.signal.aborted) return;
    heartbeat = startHeartbeat(settings, { logger, clock, stuckAfterMs: options.stuckAfterMs });
    const loop = { api, clock, random, logger };
    const stops = takeStops({ ...loop, stop: roster.stop, signal: drained.signal });
    const leftovers = sendLeftovers();
    await leftovers.headStart;
    logger.info({ workerId: settings.workerId, endpointId: settings.endpointId }, 'The worker takes jobs.');
    try {
      const concurrency = createConcurrency(options.concurrencyModifier, logger);
      await takeJobs({ ...loop, roster, concurrency, signal: draining.signal });
      await roster.whenEmpty();
    } finally {
      drained.abort();
      await Promise.all([stops, leftovers.ended]);
      await heartbeat.close();
    }
  }

  function sendLeftovers(): { headStart: Promise<void>; ended: Promise<void> } {
    if (spool === noSpool) return { headStart: Promise.resolve(), ended: Promise.resolve() };
    const tried = new AbortController();
    const limitMs = runContext.resultDeliveryMs;
    const delivery = { limitMs, signal: draining.signal, clock, random, logger };
    return {
      ended: deliverLeftovers(api, spool, delivery, () => tried.abort()),
      headStart: pause(clock, LEFTOVERS_HEAD_START_MS, tried.signal),
    };
  }

  async function live(): Promise<void> {
    const releaseLifeline = holdLifeline(settings.lifeline, logger, {
      shutdown,
      graceMs: runContext.abortGraceMs,
    });
    try {
      await checkFitness();
      await serve();
    } finally {
      drained.abort();
      connections.close();
      releaseLifeline();
    }
    logger.info({ workerId: settings.workerId }, 'The worker has ended.');
  }

  function shutdown({
    deadlineMs = DEFAULT_SHUTDOWN_DEADLINE_MS,
  }: {
    deadlineMs?: number;
  } = {}): Promise<void> {
    draining.abort();
    logger.info({ deadlineMs, jobs: roster.size }, 'Shutting down: no more jobs are taken.');
    if (deadlineMs <= 0) roster.expire();
    else void pause(clock, deadlineMs, drained.signal).then(() => drained.signal.aborted || roster.expire());
    return stopped;
  }

  const stopped = live();
  // A caller that never looks at `stopped` must not be ended by an unhandled rejection without a word.
  stopped.catch((error) => logger.error({}, `The worker failed: ${describeError(error)}`));
  return { stopped, shutdown };
}

/** Stands in for the handler of a job without `input`. */
async function refuseJob(job: Job): Promise<never> {
  throw new RunpodError('invalid_job', `Job ${job.id} should have an "input", but has none.`);
}
