/** Timestamps and durations: what rules can ask of them, in UTC. */
import { checkedInteger, type Duration, EvaluationError, type Timestamp } from './values.ts';

export const nanosPerMilli = 1_000_000n;
const nanosPerSecond = 1_000_000_000n;
const nanosPerDay = 86_400n * nanosPerSecond;

/** Units of `duration.value()`, in nanoseconds. */
const unitNanos: Record<string, bigint> = {
  w: 7n * nanosPerDay,
  d: nanosPerDay,
  h: 3600n * nanosPerSecond,
  m: 60n * nanosPerSecond,
  s: nanosPerSecond,
  ms: nanosPerMilli,
  ns: 1n,
};

/** 0001-01-01 to 9999-12-31, what a protobuf timestamp can say. */
const minNanos = -62_135_596_800n * nanosPerSecond;
const maxNanos = 253_402_300_800n * nanosPerSecond - 1n;

/** @throws EvaluationError outside of the years 1 to 9999. */
export function timestampOf(nanos: bigint): Timestamp {
  if (nanos < minNanos || nanos > maxNanos) {
    throw new EvaluationError('A timestamp must be in the years 1 to 9999.');
  }
  return { kind: 'timestamp', nanos };
}

/** @throws EvaluationError when it is longer than 10,000 years. */
export function durationOf(nanos: bigint): Duration {
  const max = 315_576_000_000n * nanosPerSecond;
  if (nanos < -max || nanos > max) throw new EvaluationError('A duration must be under 10,000 years.');
  return { kind: 'duration', nanos };
}

/** `duration.value(magnitude, unit)`. @throws EvaluationError */
export function durationValue(magnitude: bigint, unit: string): Duration {
  const nanos = unitNanos[unit];
  if (nanos === undefined) {
    throw new EvaluationError(`"${unit}" is no unit of time: expected ${Object.keys(unitNanos).join(', ')}.`);
  }
  return durationOf(magnitude * nanos);
}

/** `duration.time(hours, minutes, seconds, nanos)`. @throws EvaluationError */
export function durationTime(hours: bigint, minutes: bigint, seconds: bigint, nanos: bigint): Duration {
  return durationOf(((hours * 60n + minutes) * 60n + seconds) * nanosPerSecond + nanos);
}

/** `timestamp.date(year, month, day)`, midnight. @throws EvaluationError when there is no such day. */
export function timestampDate(year: bigint, month: bigint, day: bigint): Timestamp {
  const date = new Date(0);
  date.setUTCFullYear(Number(year), Number(month) - 1, Number(day));
  const isSame =
    date.getUTCFullYear() === Number(year) &&
    date.getUTCMonth() === Number(month) - 1 &&
    date.getUTCDate() === Number(day);
  if (!isSame) throw new EvaluationError(`There is no day ${year}-${month}-${day}.`);
  return timestampOf(BigInt(date.getTime()) * nanosPerMilli);
}

/** Rounds towards the past, so that nanoseconds within the second are never negative. */
function floorDivide(value: bigint, divisor: bigint): bigint {
  const quotient = value / divisor;
  return value % divisor < 0n ? quotient - 1n : quotient;
}

function dateOf({ nanos }: Timestamp): Date {
  return new Date(Number(floorDivide(nanos, nanosPerMilli)));
}

/** Midnight of its day. */
export function midnightOf({ nanos }: Timestamp): Timestamp {
  return timestampOf(floorDivide(nanos, nanosPerDay) * nanosPerDay);
}

/** The time since midnight. */
export function timeOfDay(timestamp: Timestamp): Duration {
  return durationOf(timestamp.nanos - midnightOf(timestamp).nanos);
}

/** The methods of a timestamp that give an int. */
export const timestampParts: Record<string, (timestamp: Timestamp) => bigint> = {
  year: (timestamp) => BigInt(dateOf(timestamp).getUTCFullYear()),
  month: (timestamp) => BigInt(dateOf(timestamp).getUTCMonth() + 1),
  day: (timestamp) => BigInt(dateOf(timestamp).getUTCDate()),
  /** Monday is 1, Sunday 7. */
  dayOfWeek: (timestamp) => BigInt(dateOf(timestamp).getUTCDay() || 7),
  /** From 1. */
  dayOfYear(timestamp) {
    const newYear = timestampDate(BigInt(dateOf(timestamp).getUTCFullYear()), 1n, 1n);
    return floorDivide(timestamp.nanos - newYear.nanos, nanosPerDay) + 1n;
  },
  hours: (timestamp) => BigInt(dateOf(timestamp).getUTCHours()),
  minutes: (timestamp) => BigInt(dateOf(timestamp).getUTCMinutes()),
  seconds: (timestamp) => BigInt(dateOf(timestamp).getUTCSeconds()),
  nanos: ({ nanos }) => nanos - floorDivide(nanos, nanosPerSecond) * nanosPerSecond,
  toMillis: ({ nanos }) => checkedInteger(floorDivide(nanos, nanosPerMilli)),
};

/** The methods of a duration that give an int: whole seconds, and the nanoseconds beyond them. */
export const durationParts: Record<string, (duration: Duration) => bigint> = {
  seconds: ({ nanos }) => nanos / nanosPerSecond,
  nanos: ({ nanos }) => nanos % nanosPerSecond,
};
