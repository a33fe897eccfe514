/** A RunPod endpoint on this machine: both sides of the API, a queue, workers started and stopped. */
import { randomUUID, timingSafeEqual } from 'node:crypto';
import { type Clock, systemClock } from '../clock.ts';
import { RunpodError } from '../errors.ts';
import type { EndpointHealth } from '../job-status.ts';
import { type Logger, silentLogger } from '../logger.ts';
import { type ClientApiContext, handleClientCall } from './client-api.ts';
import { envelopeOf } from './envelope.ts';
import { createHeldPolls } from './held-polls.ts';
import { type Exchange, RefusedRequest, startHttpServer } from './http-server.ts';
import { noJournal, openJobJournal } from './job-journal.ts';
import { createJobQueue, isRetryable, type JobQueue, type QueuedJob, submissionOf } from './job-queue.ts';
import { platformEnvironment } from './platform-environment.ts';
import { createRateLimiter, type RateLimit, RUNPOD_RATE_LIMITS } from './rate-limits.ts';
import { createWebhookSender } from './webhook.ts';
import { handleWorkerCall, type WorkerApiContext } from './worker-api.ts';
import { createWorkerRegistry } from './worker-registry.ts';
import { createWorkerSupervisor, type WorkerProgram } from './worker-supervisor.ts';

/** Milliseconds; the defaults are RunPod's where they are known. */
export interface LocalTimings {
  /** What workers are told as RUNPOD_PING_INTERVAL; default 4 000, as users report of the platform. */
  pingIntervalMs: number;
  /** A job whose worker has not named it for so long is given to another; default 15 000. */
  heartbeatTimeoutMs: number;
  /** How long job-take and job-stop are held without an answer; default 20 000 (SDKs cut them at 90 000). */
  pollHoldMs: number;
  /** Between a webhook's calls; default 10 000. */
  webhookRetryMs: number;
  /** For one call of a webhook; default 30 000. */
  webhookTimeoutMs: number;
  /** Unless a job's policy says otherwise; default 600 000. */
  executionTimeoutMs: number;
  /** Unless a job's policy says otherwise; default 24 hours. */
  ttlMs: number;
  /** How long an ended /run job is kept; default 30 minutes. */
  runRetentionMs: number;
  /** How long an ended /runsync job is kept; default 1 minute. */
  runSyncRetentionMs: number;
  /** From SIGTERM to SIGKILL of a worker; default 10 000. */
  killWorkerAfterMs: number;
  /** How often the clock's effects are applied; default 200. */
  tickMs: number;
}

/** What the local RunPod is made of. */
export interface LocalRunpodOptions {
  /** Default 0: any free one. */
  port?: number | undefined;
  /** Default 127.0.0.1. */
  host?: string | undefined;
  endpointId: string;
  /** What clients send as a bearer token (or bare) and workers bare. */
  apiKey: string;
  /** The program that serves jobs; without it only workers that are started otherwise do. */
  worker?: WorkerProgram | undefined;
  /** Where jobs that have not ended are kept for the next start; default: nowhere, they end with this process. */
  journalFile?: string | undefined;
  /** How often a job is given out before it ends as lost; default 3. */
  maxDeliveries?: number | undefined;
  /** How a job ends that was lost so often; default FAILED. */
  lostStatus?: 'FAILED' | 'TIMED_OUT' | undefined;
  /** By operation, e.g. `run`; default: what RunPod documents. False: none. Beyond them calls are answered 429. */
  rateLimits?: Readonly<Record<string, RateLimit>> | false | undefined;
  timings?: Partial<LocalTimings> | undefined;
  logger?: Logger | undefined;
  clock?: Clock | undefined;
  random?: (() => number) | undefined;
}

/** A running local RunPod. */
export interface LocalRunpod {
  readonly port: number;
  /** `http://host:port`. */
  readonly url: string;
  /** What a client takes as its base URL, and RUNPOD_ENDPOINT_BASE_URL holds: `{url}/v2`. */
  readonly baseUrl: string;
  /** The environment for a worker that is started by hand. */
  workerEnvironment(workerId?: string): Record<string, string>;
  /** Stops the workers (SIGTERM, then SIGKILL), then the server. What was queued is gone, unless there is a journal. */
  close(): Promise<void>;
}

const DEFAULT_TIMINGS: LocalTimings = {
  pingIntervalMs: 4_000,
  heartbeatTimeoutMs: 15_000,
  pollHoldMs: 20_000,
  webhookRetryMs: 10_000,
  webhookTimeoutMs: 30_000,
  executionTimeoutMs: 600_000,
  ttlMs: 86_400_000,
  runRetentionMs: 1_800_000,
  runSyncRetentionMs: 60_000,
  killWorkerAfterMs: 10_000,
  tickMs: 200,
};

/** @throws RunpodError `option_invalid` (also for a journal that cannot be used), or `port_unavailable` when the port is taken */
export async function startLocalRunpod(options: LocalRunpodOptions): Promise<LocalRunpod> {
  if (options.endpointId === '' || options.apiKey === '') {
    throw new RunpodError('option_invalid', 'startLocalRunpod: endpointId and apiKey should not be empty.');
  }
  const { endpointId, apiKey, host = '127.0.0.1' } = options;
  const timings = { ...DEFAULT_TIMINGS, ...options.timings };
  const clock = options.clock ?? systemClock;
  let closing: Promise<void> | undefined;
  const logger = options.logger ?? silentLogger;

  const takes = createHeldPolls(clock);
  const stops = createHeldPolls(clock);
  const endings = createHeldPolls(clock);
  const rateLimiter = createRateLimiter(
    options.rateLimits === false ? {} : (options.rateLimits ?? RUNPOD_RATE_LIMITS),
    clock,
  );
  const workers = createWorkerRegistry(clock);
  const webhooks = createWebhookSender({
    clock,
    logger,
    retryDelayMs: timings.webhookRetryMs,
    timeoutMs: timings.webhookTimeoutMs,
  });
  const journal = options.journalFile === undefined ? noJournal : openJobJournal(options.journalFile);
  const queue = createJobQueue({
    clock,
    heartbeatTimeoutMs: timings.heartbeatTimeoutMs,
    maxDeliveries: options.maxDeliveries ?? 3,
    lostStatus: options.lostStatus ?? 'FAILED',
    executionTimeoutMs: timings.executionTimeoutMs,
    ttlMs: timings.ttlMs,
    retentionMs: { run: timings.runRetentionMs, runsync: timings.runSyncRetentionMs },
    onQueued() {
      takes.wake();
      supervisor?.adjust();
    },
    onEnded(job: QueuedJob) {
      logger.info({ requestId: job.id, status: job.status, workerId: job.workerId }, 'A job has ended.');
      // What its worker gave up because all of this ends is done by the next start.
      if (closing === undefined || job.status === 'COMPLETED') journal.remove(job.id);
      endings.wake();
      if (job.webhook !== undefined) webhooks.send(job.webhook, envelopeOf(job));
    },
    onStop(workerId, jobId) {
      workers.orderStop(workerId, jobId);
      stops.wake();
    },
    onDelivered: (workerId, jobId) => workers.revokeStop(workerId, jobId),
  });

  const journalingQueue: JobQueue = {
    ...queue,
    submit(submission) {
      const submittedAtMs = clock.now();
      journal.add({ ...submission, submittedAtMs });
      return queue.submit({ ...submission, submittedAtMs });
    },
    retry(jobId) {
      const job = queue.find(jobId);
      if (job && isRetryable(job)) journal.add({ ...submissionOf(job), submittedAtMs: clock.now() });
      return queue.retry(jobId);
    },
  };
  const clientApi: ClientApiContext = { queue: journalingQueue, endings, health };
  const workerApi: WorkerApiContext = {
    queue,
    workers,
    takes,
    stops,
    pollHoldMs: timings.pollHoldMs,
    clock,
    logger,
  };

  function health(): EndpointHealth {
    const counts = queue.counts();
    const ready = workers.ready();
    const running = ready.filter((workerId) => queue.hasDelivery(workerId)).length;
    return {
      jobs: counts,
      workers: {
        idle: ready.length - running,
        running,
        initializing: workers.initializing().length,
        ready: ready.length,
        throttled: 0,
      },
    };
  }

  async function handle(exchange: Exchange): Promise<void> {
    const [version, endpoint, operation = '', first, second] = exchange.segments;
    if (!isAuthorized(exchange.authorization, apiKey)) {
      throw new RefusedRequest(401, 'The API key is missing or wrong.');
    }
    if (version !== 'v2' || endpoint !== endpointId) {
      throw new RefusedRequest(404, `There is no endpoint "${endpoint ?? ''}" here, only "${endpointId}".`);
    }
    if (await handleWorkerCall(workerApi, exchange, operation, first, second)) return;
    const leave = rateLimiter.enter(operation);
    const isHandled = await handleClientCall(clientApi, exchange, operation, first).finally(leave);
    if (!isHandled) throw new RefusedRequest(404, `There is no ${exchange.method} /${operation} here.`);
  }

  const server = await startHttpServer({ host, port: options.port ?? 0, handle, logger });
  const url = `http://${host.includes(':') ? `[${host}]` : host}:${server.port}`;

  function workerEnvironment(workerId: string = randomUUID()): Record<string, string> {
    return platformEnvironment({ url, endpointId, apiKey, workerId, pingIntervalMs: timings.pingIntervalMs });
  }

  const supervisor = options.worker
    ? createWorkerSupervisor({
        program: options.worker,
        demand: queue.demand,
        isReady: (workerId) => workers.isReady(workerId),
        isBusy: (workerId) => queue.hasDelivery(workerId),
        createWorkerId: randomUUID,
        environment: workerEnvironment,
        onStart: (workerId) => workers.expect(workerId),
        onStopping(workerId) {
          workers.drain(workerId);
          takes.wake();
          stops.wake();
        },
        onExit(workerId) {
          workers.forget(workerId);
          queue.loseWorker(workerId);
        },
        killAfterMs: timings.killWorkerAfterMs,
        clock,
        random: options.random ?? Math.random,
        logger,
      })
    : undefined;

  for (const job of journal.unended) queue.submit(job);
  let cancelTick = clock.after(0, tick);
  function tick(): void {
    queue.expire();
    workers.forgetSilent(Math.max(timings.heartbeatTimeoutMs, 2 * timings.pollHoldMs));
    supervisor?.adjust();
    cancelTick = clock.after(timings.tickMs, tick);
  }

  async function close(): Promise<void> {
    await supervisor?.close();
    cancelTick();
    takes.close();
    stops.close();
    endings.close();
    await webhooks.close();
    await server.close();
    journal.close();
  }

  return {
    port: server.port,
    url,
    baseUrl: `${url}/v2`,
    workerEnvironment,
    close: () => {
      closing ??= close();
      return closing;
    },
  };
}

/** RunPod takes the key as a bearer token and bare; workers send it bare. */
function isAuthorized(authorization: string | undefined, apiKey: string): boolean {
  const given = Buffer.from((authorization ?? '').replace(/^Bearer\s+/i, ''));
  const expected = Buffer.from(apiKey);
  return given.byteLength === expected.byteLength && timingSafeEqual(given, expected);
}
