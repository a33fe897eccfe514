/** One job from its handler's start to its delivered result. */
import { type Clock, pause } from '../clock.ts';
import { RunpodError } from '../errors.ts';
import { type Logger, withFields } from '../logger.ts';
import { type AnyHandler, callHandler, isDeliberate, logUnforeseen } from './handler-call.ts';
import type { Job } from './job.ts';
import { createOffload, type OffloadResult } from './offload.ts';
import type { PlatformApi } from './platform-api.ts';
import { createProgress } from './progress.ts';
import { encodeResult, type Outcome, type ResultOptions } from './result.ts';
import { deliver, deliverResult } from './result-delivery.ts';
import type { ResultSpool } from './result-spool.ts';

/** What all runs of a worker share. */
export interface JobRunContext<Input, Output> {
  api: PlatformApi;
  handler: AnyHandler<Input, Output>;
  /** Whether a stream's chunks are in its final output too. */
  aggregate: boolean;
  workerId: string;
  /** Whether the worker ends after this job, and its result asks the platform for a new one. */
  refreshWorker: boolean;
  /** Limit of a posted body in bytes, by job. */
  maxResultBytes: (jobId: string) => number;
  /** For what is larger; without it such a job fails. */
  offloadResult: OffloadResult<Input> | undefined;
  spool: ResultSpool;
  progressIntervalMs: number;
  /** How long the result is tried. */
  resultDeliveryMs: number;
  /** How long a handler may take to settle once shutdown's deadline aborted it, and as long again for the post. */
  abortGraceMs: number;
  clock: Clock;
  random: () => number;
  logger: Logger;
}

/** A job that this worker has. */
export interface JobRun {
  readonly jobId: string;
  /**
   * Resolves, never rejects, when nothing more will be posted for the job; `refreshesWorker` when this worker should
   * take no other.
   */
  readonly done: Promise<{ refreshesWorker: boolean }>;
  /** The platform withdrew the job: abort the handler, post nothing. */
  stop(): void;
  /** Shutdown's deadline has passed: abort the handler, post what it makes of that, or a retryable error. */
  expire(): void;
}

const PROGRESS_TIMEOUT_MS = 5_000;
const NO_STREAM_URL =
  'The handler streams, for which RUNPOD_WEBHOOK_POST_STREAM should be a URL, but it is not set.';

/** @param startExpired the job came in after shutdown's deadline: it is handed back failed, without a start */
export function startJobRun<Input, Output>(
  job: Job<Input>,
  context: JobRunContext<Input, Output>,
  startExpired: boolean,
): JobRun {
  const { api, clock, workerId, abortGraceMs } = context;
  const logger = withFields(context.logger, { requestId: job.id });
  const abort = new AbortController();
  const abandoned = new AbortController();
  const deliveryCut = new AbortController();
  const runEnded = new AbortController();
  let isStopped = false;
  let isStream = false;
  const resultOptions: ResultOptions = {
    workerId,
    maxBytes: context.maxResultBytes(job.id),
    refreshWorker: context.refreshWorker,
  };

  const offload = createOffload(context.offloadResult, job, { signal: abort.signal, logger });
  const progress = createProgress({
    clock,
    intervalMs: context.progressIntervalMs,
    logger,
    async send(body) {
      const reply = await api.post(job.id, body, {
        as: 'result',
        timeoutMs: PROGRESS_TIMEOUT_MS,
        signal: deliveryCut.signal,
      });
      if (reply.kind !== 'accepted') logger.debug({ reply }, 'A progress update did not arrive.');
    },
  });

  function expire(): void {
    if (abort.signal.aborted) return;
    const message = `Worker ${workerId} is shutting down and could not finish the job in time; submit it again.`;
    abort.abort(new RunpodError('worker_shutdown', message, { retryable: true }));
    void pause(clock, abortGraceMs, runEnded.signal).then(async () => {
      abandoned.abort();
      await pause(clock, abortGraceMs, runEnded.signal);
      deliveryCut.abort();
    });
  }

  function deliveryOptions(signal: AbortSignal) {
    return { limitMs: context.resultDeliveryMs, signal, clock, random: context.random, logger };
  }

  async function sendChunk(body: Uint8Array): Promise<void> {
    const delivery = await deliver(api, job.id, body, { ...deliveryOptions(abort.signal), as: 'chunk' });
    if (delivery === 'accepted') return;
    const message = `A chunk of job ${job.id} could not be delivered, so that its stream has a hole; submit it again.`;
    throw new RunpodError('output_undelivered', message, { retryable: true });
  }

  function openStream(): typeof sendChunk {
    if (!api.hasStream) throw new RunpodError('settings_invalid', NO_STREAM_URL);
    isStream = true;
    return sendChunk;
  }

  async function work(): Promise<Outcome> {
    // The heartbeat names the job before a handler may block this thread.
    await null;
    const jobContext = {
      signal: abort.signal,
      progress: (update: unknown) => progress.report(update),
      logger,
    };
    try {
      const sink = { open: openStream, aggregate: context.aggregate, offload: offload.chunk };
      const whole = await callHandler(context.handler, job, jobContext, sink);
      return { output: await offload.result(whole, resultOptions) };
    } catch (thrown) {
      return { thrown };
    }
  }

  /** The handler's outcome, or the reason of the abort when the handler did not settle in its grace. */
  async function settle(): Promise<Outcome> {
    if (abort.signal.aborted) return { thrown: abort.signal.reason };
    const gaveUp = new Promise<Outcome>((resolve) => {
      abandoned.signal.addEventListener('abort', () => resolve({ thrown: abort.signal.reason }), {
        once: true,
      });
    });
    const outcome = await Promise.race([work(), gaveUp]);
    const isAnswerToAbort = abort.signal.aborted && 'thrown' in outcome && !isDeliberate(outcome.thrown);
    return isAnswerToAbort ? { thrown: abort.signal.reason } : outcome;
  }

  async function run(): Promise<{ refreshesWorker: boolean }> {
    const startedAtMs = clock.now();
    logger.info({}, 'Started.');
    const outcome = await settle();
    if (isStopped) {
      await progress.discard();
      logger.info({ durationMs: clock.now() - startedAtMs }, 'Stopped by the platform; nothing is posted.');
      return { refreshesWorker: context.refreshWorker };
    }
    if ('thrown' in outcome) logUnforeseen(logger, outcome.thrown);
    const result = encodeResult(outcome, resultOptions);
    const spooled = {
      jobId: job.id,
      workerId,
      as: isStream ? ('stream-result' as const) : ('result' as const),
      body: result.body,
      storedAtMs: clock.now(),
    };
    // On disk before anything can cut the process or the network; progress that is under way goes first all the same.
    await Promise.all([context.spool.keep(spooled), progress.flush()]);
    const delivery = await deliverResult(api, context.spool, spooled, deliveryOptions(deliveryCut.signal));
    if (isStopped) await context.spool.forget(spooled);
    const fields = { durationMs: clock.now() - startedAtMs, sizeBytes: result.body.byteLength };
    const isDelivered = delivery === 'accepted';
    if (isDelivered && result.errorCode) logger.warn({ ...fields, code: result.errorCode }, 'Failed.');
    else if (isDelivered) logger.info(fields, 'Finished.');
    return { refreshesWorker: result.refreshesWorker };
  }

  if (startExpired) expire();
  return {
    jobId: job.id,
    done: run().finally(() => runEnded.abort()),
    stop() {
      if (isStopped) return;
      isStopped = true;
      deliveryCut.abort();
      abort.abort(new RunpodError('job_stopped', `The platform withdrew job ${job.id}.`));
    },
    expire,
  };
}
