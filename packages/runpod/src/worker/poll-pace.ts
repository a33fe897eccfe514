/** How long a long-poll loop waits before it asks again: not at all when the server held the poll, else ever longer. */
import { type Clock, pause } from '../clock.ts';
import type { Logger } from '../logger.ts';
import { backoffMs } from '../retry.ts';
import type { PollReply } from './platform-api.ts';

/** A poll that came back empty sooner than this was not held. */
const HELD_POLL_MS = 1_000;
/** Waits after empty polls that were not held: FlashBoot's 400 and a bare 204 would otherwise make a busy loop. */
const INSTANT_EMPTY = { baseMs: 100, maxMs: 1_000 };
const FAILURE = { baseMs: 500, maxMs: 30_000 };
/** After a 429 that names no time; runpod-python's own wait. */
const RATE_LIMIT_WAIT_MS = 5_000;
/** No server may silence a worker longer than this. */
const MAX_RETRY_AFTER_MS = 120_000;

/** Remembers one loop's bad luck. */
export interface PollPace {
  /** Milliseconds to wait after `reply`, which took `elapsedMs`. */
  delayAfter(reply: PollReply, elapsedMs: number): number;
}

/** @param random numbers in [0, 1) for the jitter */
export function createPollPace(random: () => number): PollPace {
  let instantEmpties = 0;
  let failures = 0;
  return {
    delayAfter(reply, elapsedMs) {
      if (reply.kind === 'refused' || reply.kind === 'failed') {
        instantEmpties = 0;
        const delayMs = backoffMs(failures, { ...FAILURE, random });
        failures += 1;
        if (reply.kind === 'failed') return delayMs;
        const askedMs = reply.retryAfterMs ?? (reply.status === 429 ? RATE_LIMIT_WAIT_MS : delayMs);
        return Math.min(Math.max(askedMs, INSTANT_EMPTY.baseMs), MAX_RETRY_AFTER_MS);
      }
      failures = 0;
      if (reply.kind !== 'none' || elapsedMs >= HELD_POLL_MS) {
        instantEmpties = 0;
        return 0;
      }
      const delayMs = backoffMs(instantEmpties, { ...INSTANT_EMPTY, random });
      instantEmpties += 1;
      return delayMs;
    },
  };
}

/** Waits `delayMs`, or until `signal` aborts; says why when the poll failed. */
export async function rest(
  reply: PollReply,
  delayMs: number,
  { signal, clock, logger }: { signal: AbortSignal; clock: Clock; logger: Logger },
): Promise<void> {
  if (reply.kind === 'refused' || reply.kind === 'failed') {
    const reason = reply.kind === 'refused' ? `status ${reply.status}` : reply.reason;
    logger.warn({ delayMs }, `Asking the platform failed (${reason}); asking again.`);
  }
  if (delayMs > 0) await pause(clock, delayMs, signal);
}
