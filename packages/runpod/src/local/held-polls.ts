/** Long polls that wait for something to become available, served in the order in which they came. */
import { setMaxListeners } from 'node:events';
import type { Clock } from '../clock.ts';

/** Polls of one kind. */
export interface HeldPolls {
  /**
   * Tries `attempt` now and at every `wake` until it gives something, `holdMs` has passed or `signal` aborts (both:
   * undefined). `attempt` is called synchronously and never again once it gave something.
   */
  hold<T>(
    attempt: () => T | undefined,
    options: { holdMs: number; signal: AbortSignal },
  ): Promise<T | undefined>;
  /** Something may have become available. */
  wake(): void;
  /** Ends all polls with nothing, and every later one at once. */
  close(): void;
}

/** @param clock times the holds */
export function createHeldPolls(clock: Clock): HeldPolls {
  const waiting = new Set<() => void>();
  const closing = new AbortController();
  // A listener for each held poll: as many as there are callers.
  setMaxListeners(0, closing.signal);
  return {
    hold<T>(attempt: () => T | undefined, { holdMs, signal }: { holdMs: number; signal: AbortSignal }) {
      return new Promise<T | undefined>((resolve) => {
        const first = signal.aborted ? undefined : attempt();
        if (first !== undefined || signal.aborted || closing.signal.aborted) return resolve(first);
        const cancelTimer = clock.after(holdMs, () => finish(undefined));
        const giveUp = () => finish(undefined);
        const retry = () => {
          const value = attempt();
          if (value !== undefined) finish(value);
        };
        function finish(value: T | undefined): void {
          waiting.delete(retry);
          cancelTimer();
          signal.removeEventListener('abort', giveUp);
          closing.signal.removeEventListener('abort', giveUp);
          resolve(value);
        }
        waiting.add(retry);
        signal.addEventListener('abort', giveUp, { once: true });
        closing.signal.addEventListener('abort', giveUp, { once: true });
      });
    },
    wake() {
      for (const retry of [...waiting]) retry();
    },
    close: () => closing.abort(),
  };
}
