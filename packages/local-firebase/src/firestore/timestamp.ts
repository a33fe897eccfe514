/** Timestamps as whole microseconds since 1970, Firestore's precision, and the clock that never runs backwards. */
import type { Timestamp } from './messages.ts';

/** Returns milliseconds since 1970, as Date.now does. */
export type Clock = () => number;

/** Gives each commit its time, in microseconds: later than every one before it, whatever the machine's clock does. */
export type CommitClock = {
  /** A new time, later than all before. */
  next(): number;
  /** The newest time known: at least the last one given, and the machine's clock where that is ahead. */
  current(): number;
};

/** @param afterMicros The last time that was given before this process, so that time does not restart. */
export function createCommitClock(clock: Clock, afterMicros: number): CommitClock {
  let lastMicros = afterMicros;
  return {
    next() {
      lastMicros = Math.max(Math.floor(clock() * 1000), lastMicros + 1);
      return lastMicros;
    },
    current() {
      lastMicros = Math.max(Math.floor(clock() * 1000), lastMicros);
      return lastMicros;
    },
  };
}

export function timestampFromMicros(micros: number): Timestamp {
  const seconds = Math.floor(micros / 1_000_000);
  return { seconds: String(seconds), nanos: (micros - seconds * 1_000_000) * 1000 };
}

export function microsFromTimestamp({ seconds = '0', nanos = 0 }: Timestamp): number {
  return Number(seconds) * 1_000_000 + Math.floor(nanos / 1000);
}

/** Firestore stores microseconds: finer digits are cut off. */
export function truncateToMicros(timestamp: Timestamp): Timestamp {
  const nanos = timestamp.nanos ?? 0;
  return { seconds: timestamp.seconds ?? '0', nanos: nanos - (nanos % 1000) };
}

export function compareTimestamps(left: Timestamp, right: Timestamp): number {
  const leftSeconds = BigInt(left.seconds ?? '0');
  const rightSeconds = BigInt(right.seconds ?? '0');
  if (leftSeconds !== rightSeconds) return leftSeconds < rightSeconds ? -1 : 1;
  return Math.sign((left.nanos ?? 0) - (right.nanos ?? 0));
}
