/** One endpoint without its sockets and processes: both APIs over one queue, told the time, with faults when asked for. */
import { timingSafeEqual } from 'node:crypto';
import { setMaxListeners } from 'node:events';
import type { EndpointHealth } from '../job-status.ts';
import { handleClientCall } from './client-api.ts';
import { envelopeOf } from './envelope.ts';
import { answer, type Exchange, RefusedRequest } from './exchange.ts';
import { createFaultInjector } from './fault-script.ts';
import { createFaultyHandler } from './faulty-exchange.ts';
import { createHeldPolls } from './held-polls.ts';
import type { JobJournal } from './job-journal.ts';
import { createJobQueue, type JobQueue } from './job-queue.ts';
import type { EndpointSettings } from './local-options.ts';
import { isRetryable, type QueuedJob, submissionOf } from './queued-job.ts';
import { createRateLimiter } from './rate-limits.ts';
import { createWebhookSender } from './webhook.ts';
import { handleWorkerCall } from './worker-api.ts';
import { createWorkerRegistry, type WorkerRegistry } from './worker-registry.ts';

/** What the endpoint asks of, and tells, whoever runs workers for it. */
export interface EndpointHost {
  /** The queue has changed, or time has passed: workers may be wanted, or no longer. */
  onDemand(): void;
  /** A job has ended, whoever ended it. */
  onEnded?(job: QueuedJob): void;
  /** A worker has said that it is not fit, and what it had has been queued again. */
  onUnhealthy(workerId: string): void;
  /** Workers that are wanted and may not start yet. */
  heldBackWorkers(): number;
}

/** An endpoint that answers whatever carries its exchanges. */
export interface Endpoint {
  readonly queue: JobQueue;
  readonly workers: WorkerRegistry;
  /** Answers the exchange; never rejects. */
  handle(exchange: Exchange): Promise<void>;
  health(): EndpointHealth;
  /** From now on the worker gets no jobs, and its held polls end. */
  drain(workerId: string): void;
  /** The worker's process has ended. */
  forget(workerId: string): void;
  /** Everything ends: what workers give up from here on stays in the journal. */
  beginClosing(): void;
  close(): Promise<void>;
}

/** Starts with the jobs of `journal` in its queue. */
export function createEndpoint(
  settings: EndpointSettings,
  journal: JobJournal,
  host: EndpointHost,
): Endpoint {
  const { timings, clock, logger } = settings;
  const takes = createHeldPolls(clock);
  const stops = createHeldPolls(clock);
  const endings = createHeldPolls(clock);
  const workers = createWorkerRegistry(clock);
  const faults = createFaultInjector(settings.faults, clock);
  const webhooks = createWebhookSender({
    clock,
    logger,
    faults,
    retryDelayMs: timings.webhookRetryMs,
    timeoutMs: timings.webhookTimeoutMs,
  });
  const closing = new AbortController();
  // A listener for each call that a fault holds.
  setMaxListeners(0, closing.signal);
  let isClosing = false;

  const queue = createJobQueue({
    clock,
    heartbeatTimeoutMs: timings.heartbeatTimeoutMs,
    maxDeliveries: settings.maxDeliveries,
    lostStatus: settings.lostStatus,
    executionTimeoutMs: timings.executionTimeoutMs,
    ttlMs: timings.ttlMs,
    retentionMs: { run: timings.runRetentionMs, runsync: timings.runSyncRetentionMs },
    onQueued() {
      takes.wake();
      host.onDemand();
    },
    onEnded(job) {
      logger.info({ requestId: job.id, status: job.status, workerId: job.workerId }, 'A job has ended.');
      // What its worker gave up because all of this ends is done by the next start.
      if (!isClosing || job.status === 'COMPLETED') journal.remove(job.id);
      endings.wake();
      if (job.webhook !== undefined) webhooks.send(job.webhook, envelopeOf(job));
      host.onEnded?.(job);
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
  const rateLimiter = createRateLimiter(settings.rateLimits, clock, () => runningWorkers().length);
  const clientApi = { queue: journalingQueue, endings, health, maxQueuedJobs: settings.maxQueuedJobs };
  const workerApi = {
    ...settings.platform,
    queue,
    workers,
    takes,
    stops,
    pollHoldMs: timings.pollHoldMs,
    clock,
    logger,
    onUnhealthy(workerId: string, complaint: string) {
      queue.loseWorker(workerId, `worker ${workerId} is not fit (${complaint})`);
      takes.wake();
      stops.wake();
      host.onUnhealthy(workerId);
    },
  };

  function runningWorkers(): string[] {
    return workers.ready().filter((workerId) => queue.hasDelivery(workerId));
  }

  function health(): EndpointHealth {
    const ready = workers.ready().length;
    const running = runningWorkers().length;
    return {
      jobs: queue.counts(),
      workers: {
        idle: ready - running,
        running,
        initializing: workers.initializing().length,
        ready,
        throttled: host.heldBackWorkers(),
        unhealthy: workers.unhealthy().length,
      },
    };
  }

  async function route(exchange: Exchange): Promise<void> {
    const [version, endpoint, operation = '', first, second] = exchange.segments;
    if (!isAuthorized(exchange.authorization, settings.apiKey)) {
      throw new RefusedRequest(401, 'The API key is missing or wrong.');
    }
    if (version !== 'v2' || endpoint !== settings.endpointId) {
      throw new RefusedRequest(
        404,
        `There is no endpoint "${endpoint ?? ''}" here, only "${settings.endpointId}".`,
      );
    }
    const leave = rateLimiter.enter(operation);
    try {
      if (await handleWorkerCall(workerApi, exchange, operation, first, second)) return;
      if (await handleClientCall(clientApi, exchange, operation, first)) return;
    } finally {
      leave();
    }
    throw new RefusedRequest(404, `There is no ${exchange.method} /${operation} here.`);
  }

  const answerRoute = (exchange: Exchange) => answer(exchange, route, logger);

  for (const job of journal.unended) queue.submit(job);
  let cancelTick = clock.after(0, tick);
  function tick(): void {
    queue.expire();
    workers.forgetSilent(Math.max(timings.heartbeatTimeoutMs, 2 * timings.pollHoldMs));
    host.onDemand();
    cancelTick = clock.after(timings.tickMs, tick);
  }

  return {
    queue,
    workers,
    handle: faults.isActive
      ? createFaultyHandler(answerRoute, { injector: faults, clock, closing: closing.signal, logger })
      : answerRoute,
    health,
    drain(workerId) {
      workers.drain(workerId);
      takes.wake();
      stops.wake();
    },
    forget(workerId) {
      workers.forget(workerId);
      queue.loseWorker(workerId);
    },
    beginClosing() {
      isClosing = true;
    },
    async close() {
      cancelTick();
      closing.abort();
      takes.close();
      stops.close();
      endings.close();
      await webhooks.close();
    },
  };
}

/** RunPod takes the key as a bearer token and bare; workers send it bare. */
function isAuthorized(authorization: string | undefined, apiKey: string): boolean {
  const given = Buffer.from((authorization ?? '').replace(/^Bearer\s+/i, ''));
  const expected = Buffer.from(apiKey);
  return given.byteLength === expected.byteLength && timingSafeEqual(given, expected);
}
