/** Timestamps as whole microseconds since 1970, Firestore's precision, and the clock that never runs backwards. */
import type { Timestamp } from './messages.ts';

/** Returns milliseconds since 1970, as Date.now does. */
export type Clock = () => number;

/** Times of commits and of what is read between them, in microseconds: in order, whatever the machine's clock does. */
export type CommitClock = {
  /** The time of a new commit: later than every commit and every read before. */
  next(): number;
  /**
   * The time of a read: later than the last commit, and the same until the next one where the machine's clock is not ahead.
   * A snapshot as old as its newest document is not enough: a second tab of the web SDK asks the cache that the tabs share for
   * what is newer than the acknowledged write it has seen, and would not find the same write confirmed by the snapshot.
   */
  current(): number;
};

/** @param afterMicros The last time that was given before this process, so that time does not restart. */
export function createCommitClock(clock: Clock, afterMicros: number): CommitClock {
  let commitMicros = afterMicros;
  let readMicros = afterMicros;
  const nowMicros = () => Math.floor(clock() * 1000);
  return {
    next() {
      commitMicros = Math.max(nowMicros(), commitMicros + 1, readMicros + 1);
      return commitMicros;
    },
    current() {
      readMicros = Math.max(nowMicros(), commitMicros + 1, readMicros);
      return readMicros;
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
