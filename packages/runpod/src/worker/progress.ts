/** A job's progress updates: in order, one at a time, the latest wins, and none after the result. */
import type { Clock } from '../clock.ts';
import type { Logger } from '../logger.ts';

/** Sends one body; resolves whether or not it arrived (a lost update is replaced by the next). */
export type SendProgress = (body: Uint8Array) => Promise<void>;

/** One job's updates. */
export interface Progress {
  report(update: unknown): void;
  /** Sends what is still waiting and takes no more; resolves when nothing is under way. */
  flush(): Promise<void>;
  /** Drops what is waiting and takes no more; resolves when nothing is under way. */
  discard(): Promise<void>;
}

/** @param options.intervalMs least time between the ends of two sends */
export function createProgress(options: {
  send: SendProgress;
  clock: Clock;
  intervalMs: number;
  logger: Logger;
}): Progress {
  const { send, clock, intervalMs, logger } = options;
  let waiting: Uint8Array | undefined;
  let sending: Promise<void> | undefined;
  let cancelTimer: (() => void) | undefined;
  let nextSendAtMs = Number.NEGATIVE_INFINITY;
  let isClosed = false;

  function sendWaiting(): void {
    if (sending || cancelTimer || !waiting) return;
    const delayMs = isClosed ? 0 : nextSendAtMs - clock.now();
    if (delayMs > 0) {
      cancelTimer = clock.after(delayMs, () => {
        cancelTimer = undefined;
        sendWaiting();
      });
      return;
    }
    const body = waiting;
    waiting = undefined;
    sending = send(body).finally(() => {
      sending = undefined;
      nextSendAtMs = clock.now() + intervalMs;
      sendWaiting();
    });
  }

  async function settle(): Promise<void> {
    isClosed = true;
    cancelTimer?.();
    cancelTimer = undefined;
    sendWaiting();
    while (sending) await sending;
  }

  return {
    report(update) {
      if (isClosed) {
        logger.debug({}, 'A progress update came after the job had ended and is dropped.');
        return;
      }
      try {
        // The text is made now: the caller may change the object later.
        waiting = Buffer.from(JSON.stringify({ status: 'IN_PROGRESS', output: update ?? null }));
      } catch (error) {
        logger.warn({ error }, 'A progress update could not be written as JSON and is dropped.');
        return;
      }
      sendWaiting();
    },
    flush: settle,
    discard() {
      waiting = undefined;
      return settle();
    },
  };
}
