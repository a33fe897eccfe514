/** Posts a job's result or chunk until the platform has it: it is work done, and is not given up lightly. */
import { type Clock, pause } from '../clock.ts';
import { type Logger, withFields } from '../logger.ts';
import { backoffMs, isTransientStatus } from '../retry.ts';
import type { PlatformApi, PostOptions, PostReply } from './platform-api.ts';
import type { ResultSpool, SpooledResult } from './result-spool.ts';

const BACKOFF = { baseMs: 500, maxMs: 15_000 };
/** For one attempt: 20 MB over a slow line. */
const ATTEMPT_TIMEOUT_MS = 60_000;
const MAX_RETRY_AFTER_MS = 60_000;

/** How a delivery ended: `refused` for good, or `given-up` after its time or by its signal. */
export type Delivery = 'accepted' | 'refused' | 'given-up';

/** How deliveries are tried. */
export interface DeliveryOptions {
  /** From the first attempt on. */
  limitMs: number;
  signal: AbortSignal;
  clock: Clock;
  random: () => number;
  logger: Logger;
}

/**
 * Posts `body`, again after network errors, 408, 425, 429 and 5xx, until it is accepted, refused for good, `limitMs`
 * has passed or `signal` aborts.
 */
export async function deliver(
  api: PlatformApi,
  jobId: string,
  body: Uint8Array,
  options: DeliveryOptions & { as: PostOptions['as']; workerId?: string | undefined },
): Promise<Delivery> {
  const { as, workerId, limitMs, signal, clock, random, logger } = options;
  const noun = as === 'chunk' ? 'chunk' : 'result';
  const startedAtMs = clock.now();
  for (let attempt = 0; ; attempt += 1) {
    const reply = await api.post(jobId, body, { as, timeoutMs: ATTEMPT_TIMEOUT_MS, signal, workerId });
    if (reply.kind === 'accepted') return 'accepted';
    const delayMs = Math.min(
      retryAfterOf(reply) ?? backoffMs(attempt, { ...BACKOFF, random }),
      MAX_RETRY_AFTER_MS,
    );
    // The job was told to end: its stream ends with it, and that the chunk did not arrive is nobody's loss.
    if (as === 'chunk' && signal.aborted) return 'given-up';
    const isTooLate = signal.aborted || clock.now() + delayMs - startedAtMs > limitMs;
    if (!isTransient(reply) || isTooLate) {
      logger.error(
        { sizeBytes: body.byteLength, attempts: attempt + 1 },
        `The job's ${noun} could not be delivered: ${reasonOf(reply)}.`,
      );
      return isTransient(reply) ? 'given-up' : 'refused';
    }
    logger.warn(
      { attempt: attempt + 1, delayMs },
      `Posting the ${noun} failed (${reasonOf(reply)}); trying again.`,
    );
    await pause(clock, delayMs, signal);
  }
}

/** Delivers a result that the spool keeps until it is known what became of it. */
export async function deliverResult(
  api: PlatformApi,
  spool: ResultSpool,
  result: SpooledResult,
  options: DeliveryOptions,
): Promise<Delivery> {
  const { jobId, workerId, as, body } = result;
  const delivery = await deliver(api, jobId, body, { ...options, as, workerId });
  if (delivery === 'given-up') spool.giveUp(result);
  else await spool.forget(result);
  return delivery;
}

/** How often results are looked for that were given up. */
const LEFTOVER_INTERVAL_MS = 60_000;

/**
 * Delivers what the spool has left over, and looks again every minute until `signal` aborts.
 *
 * @param onFirstRound called when everything that was there at the start has been tried
 */
export async function deliverLeftovers(
  api: PlatformApi,
  spool: ResultSpool,
  options: DeliveryOptions,
  onFirstRound: () => void,
): Promise<void> {
  const { signal, clock } = options;
  for (let round = 0; !signal.aborted; round += 1) {
    for (const result of await spool.leftovers()) {
      if (signal.aborted) break;
      const logger = withFields(options.logger, { requestId: result.jobId });
      const delivery = await deliverResult(api, spool, result, { ...options, logger });
      if (delivery === 'accepted') logger.info({}, 'Delivered a result that was kept on disk.');
    }
    if (round === 0) onFirstRound();
    await pause(clock, LEFTOVER_INTERVAL_MS, signal);
  }
}

type Failure = Exclude<PostReply, { kind: 'accepted' }>;

function isTransient(reply: Failure): boolean {
  return reply.kind === 'failed' || isTransientStatus(reply.status);
}

function retryAfterOf(reply: Failure): number | undefined {
  return reply.kind === 'refused' ? reply.retryAfterMs : undefined;
}

function reasonOf(reply: Failure): string {
  return reply.kind === 'refused' ? `the platform answered ${reply.status}` : reply.reason;
}
