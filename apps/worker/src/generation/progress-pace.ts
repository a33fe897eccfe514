/** Decides when the next progress write may go out: at least half a second apart, and one a second on average. */
import { PROGRESS_AVERAGE_INTERVAL_MS, PROGRESS_MIN_INTERVAL_MS } from '@firepod/contract';

/** A pace keeper; times in milliseconds of any clock that does not go backwards. */
export interface ProgressPace {
  /** The earliest moment of the next write. */
  nextAtMs(): number;
  /** A write goes out now. */
  wrote(nowMs: number): void;
}

/** Quiet time that may be caught up on: a long phase is followed by at most four quick writes. */
const CREDIT_MAX_MS = 4 * PROGRESS_AVERAGE_INTERVAL_MS;

/** @param startedAtMs when the claim wrote the first progress */
export function createProgressPace(startedAtMs: number): ProgressPace {
  let lastAtMs = startedAtMs;
  /** When the next write is due at one a second; time that passed unused is credit, up to a limit. */
  let dueAtMs = startedAtMs + PROGRESS_MIN_INTERVAL_MS;
  return {
    nextAtMs: () => Math.max(lastAtMs + PROGRESS_MIN_INTERVAL_MS, dueAtMs),
    wrote(nowMs) {
      lastAtMs = nowMs;
      dueAtMs = Math.max(dueAtMs, nowMs - CREDIT_MAX_MS) + PROGRESS_AVERAGE_INTERVAL_MS;
    },
  };
}
