/** A clock that moves only when it is told: hours of timeouts in a test that takes milliseconds. */
import type { Clock } from '../clock.ts';

/** A clock for tests. */
export interface ManualClock extends Clock {
  /** Moves the time forward; what falls due on the way runs at its own moment, in order. */
  advance(durationMs: number): void;
}

/** @param startMs milliseconds since the epoch */
export function createManualClock(startMs = 0): ManualClock {
  let nowMs = startMs;
  const timers = new Set<{ atMs: number; run: () => void }>();
  return {
    now: () => nowMs,
    after(delayMs, run) {
      const timer = { atMs: nowMs + Math.max(0, delayMs), run };
      timers.add(timer);
      return () => timers.delete(timer);
    },
    advance(durationMs) {
      const endMs = nowMs + durationMs;
      for (;;) {
        const next = earliest(timers);
        if (!next || next.atMs > endMs) break;
        timers.delete(next);
        nowMs = next.atMs;
        next.run();
      }
      nowMs = endMs;
    },
  };
}

/** Of those due at the same moment the one that was set first. */
function earliest<T extends { atMs: number }>(timers: Iterable<T>): T | undefined {
  let first: T | undefined;
  for (const timer of timers) if (first === undefined || timer.atMs < first.atMs) first = timer;
  return first;
}
