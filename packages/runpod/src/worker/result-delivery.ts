/** Posts a job's result or chunk until the platform has it: it is work done, and is not given up lightly. */
import { type Clock, pause } from '../clock.ts';
import type { Logger } from '../logger.ts';
import { backoffMs, isTransientStatus } from '../retry.ts';
import type { PlatformApi, PostOptions, PostReply } from './platform-api.ts';

const BACKOFF = { baseMs: 500, maxMs: 15_000 };
/** For one attempt: 20 MB over a slow line. */
const ATTEMPT_TIMEOUT_MS = 60_000;
const MAX_RETRY_AFTER_MS = 60_000;

/**
 * Posts `body`, again after network errors, 408, 425, 429 and 5xx, until it is accepted, refused for good, `limitMs`
 * has passed or `signal` aborts.
 *
 * @returns whether the platform accepted it
 */
export async function deliverResult(
  api: PlatformApi,
  jobId: string,
  body: Uint8Array,
  options: {
    as: PostOptions['as'];
    limitMs: number;
    signal: AbortSignal;
    clock: Clock;
    random: () => number;
    logger: Logger;
  },
): Promise<boolean> {
  const { as, limitMs, signal, clock, random, logger } = options;
  const startedAtMs = clock.now();
  for (let attempt = 0; ; attempt += 1) {
    const reply = await api.post(jobId, body, { as, timeoutMs: ATTEMPT_TIMEOUT_MS, signal });
    if (reply.kind === 'accepted') return true;
    const delayMs = Math.min(
      retryAfterOf(reply) ?? backoffMs(attempt, { ...BACKOFF, random }),
      MAX_RETRY_AFTER_MS,
    );
    // The job was told to end: its stream ends with it, and that the chunk did not arrive is nobody's loss.
    if (as === 'chunk' && signal.aborted) return false;
    const isTooLate = signal.aborted || clock.now() + delayMs - startedAtMs > limitMs;
    if (!isTransient(reply) || isTooLate) {
      logger.error(
        { sizeBytes: body.byteLength, attempts: attempt + 1 },
        `The job's ${as === 'chunk' ? 'chunk' : 'result'} could not be delivered: ${reasonOf(reply)}.`,
      );
      return false;
    }
    logger.warn(
      { attempt: attempt + 1, delayMs },
      `Posting the ${as === 'chunk' ? 'chunk' : 'result'} failed (${reasonOf(reply)}); trying again.`,
    );
    await pause(clock, delayMs, signal);
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
