/** A RunPod worker: takes jobs, runs them, stops them when told, and ends without dropping one. */
import { type Clock, pause, systemClock } from '../clock.ts';
import { describeError, RunpodError } from '../errors.ts';
import { type Logger, silentLogger } from '../logger.ts';
import { type FitnessCheck, findUnfitness } from './fitness.ts';
import { type Heartbeat, pingUnhealthy, startHeartbeat } from './heartbeat.ts';
import type { Handler, Job, StreamingHandler } from './job.ts';
import { type JobRun, type JobRunContext, startJobRun } from './job-run.ts';
import { holdLifeline } from './lifeline.ts';
import { createPlatformApi, type PollReply } from './platform-api.ts';
import { createPollPace } from './poll-pace.ts';
import { platformResultLimitBytes } from './result.ts';
import type { WorkerSettings } from './settings.ts';

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
  /** Largest result body in bytes; default: the platform's 10 MB, 20 MB for /runsync jobs. */
  maxResultBytes?: number | undefined;
  /** Least time between two progress posts of a job; default 500 ms. */
  progressIntervalMs?: number | undefined;
  /** How long a result is tried before it is given up; default 5 minutes. */
  resultDeliveryMs?: number | undefined;
  /** Time for a handler to settle after shutdown's deadline, and then for the last post; default 5 000 ms each. */
  abortGraceMs?: number | undefined;
  fetch?: typeof fetch | undefined;
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
   * Takes no more jobs, lets the running one finish for `deadlineMs` (default 20 000), then aborts it and posts a
   * retryable `worker_shutdown` error. Resolves as `stopped`. A later call may bring the deadline forward.
   */
  shutdown(options?: { deadlineMs?: number }): Promise<void>;
}

/** One job at a time: image and video engines fill a GPU alone. */
const CONCURRENCY = 1;
const DEFAULT_SHUTDOWN_DEADLINE_MS = 20_000;
const STOP_CHANNEL_FLOOR_MS = 1_000;

/** Starts to take jobs at once, or when the fitness checks have passed. */
export function startWorker<Input = unknown, Output = unknown>(
  options: WorkerOptions<Input, Output>,
): Worker {
  const { settings } = options;
  const logger = options.logger ?? silentLogger;
  const clock = options.clock ?? systemClock;
  const random = options.random ?? Math.random;
  const api = createPlatformApi(settings, options.fetch ?? fetch, clock);
  const runs = new Map<string, JobRun>();
  const draining = new AbortController();
  const drained = new AbortController();
  let isExpired = false;
  let heartbeat: Heartbeat | undefined;

  const runContext: JobRunContext<Input, Output> = {
    api,
    handler: options.handler,
    aggregate: options.aggregate ?? false,
    refreshWorker: options.refreshWorker ?? false,
    workerId: settings.workerId,
    maxResultBytes: (jobId) => options.maxResultBytes ?? platformResultLimitBytes(jobId),
    progressIntervalMs: options.progressIntervalMs ?? 500,
    resultDeliveryMs: options.resultDeliveryMs ?? 300_000,
    abortGraceMs: options.abortGraceMs ?? 5_000,
    clock,
    random,
    logger,
  };

  /** Starts the job; anything that is none counts as a failed poll, so that it slows the loop. */
  function accept(reply: PollReply): PollReply {
    if (reply.kind !== 'value') return reply;
    const job = reply.value as Job<Input> | null;
    if (typeof job !== 'object' || job === null || typeof job.id !== 'string' || job.id === '') {
      return { kind: 'failed', reason: 'the reply holds no job with an id' };
    }
    if (runs.has(job.id)) return { kind: 'failed', reason: `job ${job.id} is running here already` };
    const run = startJobRun(
      job,
      'input' in job ? runContext : { ...runContext, handler: refuseJob },
      isExpired,
    );
    runs.set(job.id, run);
    heartbeat?.setJobs([...runs.keys()]);
    void run.done.then(({ refreshesWorker }) => {
      runs.delete(job.id);
      heartbeat?.setJobs([...runs.keys()]);
      if (!refreshesWorker) return;
      logger.info({ requestId: job.id }, 'This job refreshes the worker: no more jobs are taken.');
      draining.abort();
    });
    return reply;
  }

  async function takeJobs(): Promise<void> {
    const pace = createPollPace(random);
    const drainingBegan = new Promise<void>((resolve) => {
      draining.signal.addEventListener('abort', () => resolve(), { once: true });
    });
    while (!draining.signal.aborted) {
      if (runs.size >= CONCURRENCY) {
        await Promise.race([drainingBegan, ...[...runs.values()].map((run) => run.done)]);
        continue;
      }
      const askedAtMs = clock.now();
      const reply = accept(await api.take({ hasJobs: runs.size > 0, signal: draining.signal }));
      await rest(reply, pace.delayAfter(reply, clock.now() - askedAtMs), draining.signal);
    }
  }

  async function takeStops(): Promise<void> {
    if (!api.hasStopChannel) {
      logger.warn({}, 'Jobs cannot be stopped: RUNPOD_WEBHOOK_GET_JOB does not contain /job-take/.');
      return;
    }
    const pace = createPollPace(random);
    while (!drained.signal.aborted) {
      const askedAtMs = clock.now();
      const reply = await api.takeStops(drained.signal);
      const jobIds = reply.kind === 'value' ? readStops(reply.value) : [];
      for (const jobId of jobIds) runs.get(jobId)?.stop();
      const elapsedMs = clock.now() - askedAtMs;
      const floorMs = jobIds.length === 0 && elapsedMs < STOP_CHANNEL_FLOOR_MS ? STOP_CHANNEL_FLOOR_MS : 0;
      await rest(reply, Math.max(floorMs, pace.delayAfter(reply, elapsedMs)), drained.signal);
    }
  }

  async function rest(reply: PollReply, delayMs: number, signal: AbortSignal): Promise<void> {
    if (reply.kind === 'refused' || reply.kind === 'failed') {
      const reason = reply.kind === 'refused' ? `status ${reply.status}` : reply.reason;
      logger.warn({ delayMs }, `Asking the platform failed (${reason}); asking again.`);
    }
    if (delayMs > 0) await pause(clock, delayMs, signal);
  }

  async function checkFitness(): Promise<void> {
    const signal = draining.signal;
    const unfitness = await findUnfitness(options.fitnessChecks ?? [], { signal, clock, logger });
    if (!unfitness) return;
    const { check, reason, thrown } = unfitness;
    await pingUnhealthy(settings, unfitness, { fetch: options.fetch ?? fetch, clock, logger });
    const message = `The worker is not fit for jobs: fitness check "${check}" failed: ${reason}.`;
    throw new RunpodError('worker_unhealthy', message, { cause: thrown });
  }

  async function serve(): Promise<void> {
    if (draining.signal.aborted) return;
    heartbeat = startHeartbeat(settings, logger, clock);
    const stops = takeStops();
    logger.info({ workerId: settings.workerId, endpointId: settings.endpointId }, 'The worker takes jobs.');
    try {
      await takeJobs();
      while (runs.size > 0) await Promise.all([...runs.values()].map((run) => run.done));
    } finally {
      drained.abort();
      await stops;
      await heartbeat.close();
    }
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
    logger.info({ deadlineMs, jobs: [...runs.keys()] }, 'Shutting down: no more jobs are taken.');
    const expire = () => {
      isExpired = true;
      for (const run of runs.values()) run.expire();
    };
    if (deadlineMs <= 0) expire();
    else void pause(clock, deadlineMs, drained.signal).then(() => drained.signal.aborted || expire());
    return stopped;
  }

  const stopped = live();
  // A caller that never looks at `stopped` must not be ended by an unhandled rejection without a word.
  stopped.catch((error) => logger.error({}, `The worker failed: ${describeError(error)}.`));
  return { stopped, shutdown };
}

/** Ids of `{jobsToStop: [id, …]}`; anything else is none. */
function readStops(value: unknown): string[] {
  const ids = (value as { jobsToStop?: unknown } | null)?.jobsToStop;
  return Array.isArray(ids) ? ids.filter((id) => typeof id === 'string') : [];
}

/** Stands in for the handler of a job without `input`. */
async function refuseJob(job: Job): Promise<never> {
  throw new RunpodError('invalid_job', `Job ${job.id} should have an "input", but has none.`);
}
