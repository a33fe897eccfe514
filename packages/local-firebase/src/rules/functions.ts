/** The functions of the language that need nothing but their arguments: conversions, math, hashing, times and places. */
import { createHash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { crc32c } from '../storage/checksums.ts';
import {
  durationOf,
  durationTime,
  durationValue,
  nanosPerMilli,
  timestampDate,
  timestampOf,
} from './calendar.ts';
import { textOf } from './method.ts';
import {
  checkedInteger,
  EvaluationError,
  isKind,
  pathOf,
  pathText,
  type RulesValue,
  typeOf,
} from './values.ts';

type LibraryFunction = { arity: number; call: (parameters: readonly RulesValue[]) => RulesValue };

function integerOf(value: RulesValue): bigint {
  if (typeof value === 'bigint') return value;
  throw new EvaluationError(`Expected an int, got ${typeOf(value)}.`);
}

function floatOf(value: RulesValue): number {
  if (typeof value === 'bigint' || typeof value === 'number') return Number(value);
  throw new EvaluationError(`Expected a number, got ${typeOf(value)}.`);
}

/** @throws EvaluationError when a float is NaN, infinite, or beyond 64 bits. */
function toInteger(value: number): bigint {
  if (!Number.isFinite(value)) throw new EvaluationError(`${value} is no int.`);
  return checkedInteger(BigInt(value));
}

function bytesOf(value: RulesValue): Uint8Array {
  if (value instanceof Uint8Array) return value;
  if (typeof value === 'string') return Buffer.from(value, 'utf8');
  throw new EvaluationError(`Expected bytes or a string, got ${typeOf(value)}.`);
}

/** A checksum as four bytes, most significant first. */
function checksumBytes(checksum: number): Uint8Array {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(checksum);
  return bytes;
}

/** Ints stay ints. */
function rounded(value: RulesValue, round: (value: number) => number): RulesValue {
  return typeof value === 'bigint' ? value : toInteger(round(floatOf(value)));
}

const conversions: Record<string, LibraryFunction> = {
  bool: {
    arity: 1,
    call([value]) {
      if (typeof value === 'boolean') return value;
      if (value === 'true' || value === 'false') return value === 'true';
      throw new EvaluationError('bool() takes "true" or "false".');
    },
  },
  float: {
    arity: 1,
    call([value]) {
      if (typeof value !== 'string') return floatOf(value!);
      if (!/^[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?$/.test(value)) {
        throw new EvaluationError(`${JSON.stringify(value)} is no number.`);
      }
      return Number(value);
    },
  },
  int: {
    arity: 1,
    call([value]) {
      if (typeof value === 'bigint') return value;
      if (typeof value === 'number') return toInteger(Math.trunc(value));
      const text = textOf(value!);
      if (!/^[-+]?\d{1,19}$/.test(text)) throw new EvaluationError(`${JSON.stringify(text)} is no int.`);
      return checkedInteger(BigInt(text.replace('+', '')));
    },
  },
  string: {
    arity: 1,
    call([value]) {
      if (isKind(value!, 'path')) return pathText(value);
      if (value === null || ['string', 'boolean', 'bigint', 'number'].includes(typeof value)) {
        return String(value);
      }
      throw new EvaluationError(`string() takes no ${typeOf(value!)}.`);
    },
  },
  path: {
    arity: 1,
    call: ([value]) =>
      pathOf(
        textOf(value!)
          .split('/')
          .filter((segment) => segment !== ''),
      ),
  },
};

const mathFunctions: Record<string, LibraryFunction> = {
  'math.abs': {
    arity: 1,
    call: ([value]) =>
      typeof value === 'bigint' ? checkedInteger(value < 0n ? -value : value) : Math.abs(floatOf(value!)),
  },
  'math.ceil': { arity: 1, call: ([value]) => rounded(value!, Math.ceil) },
  'math.floor': { arity: 1, call: ([value]) => rounded(value!, Math.floor) },
  'math.round': {
    arity: 1,
    // Halves away from zero.
    call: ([value]) => rounded(value!, (number) => Math.sign(number) * Math.round(Math.abs(number))),
  },
  'math.isInfinite': {
    arity: 1,
    call: ([value]) => Math.abs(floatOf(value!)) === Number.POSITIVE_INFINITY,
  },
  'math.isNaN': { arity: 1, call: ([value]) => Number.isNaN(floatOf(value!)) },
  'math.pow': { arity: 2, call: ([base, exponent]) => floatOf(base!) ** floatOf(exponent!) },
  'math.sqrt': { arity: 1, call: ([value]) => Math.sqrt(floatOf(value!)) },
};

const hashingFunctions: Record<string, LibraryFunction> = {
  'hashing.crc32': { arity: 1, call: ([value]) => checksumBytes(crc32(bytesOf(value!))) },
  'hashing.crc32c': { arity: 1, call: ([value]) => checksumBytes(crc32c(bytesOf(value!))) },
  'hashing.md5': { arity: 1, call: ([value]) => createHash('md5').update(bytesOf(value!)).digest() },
  'hashing.sha256': { arity: 1, call: ([value]) => createHash('sha256').update(bytesOf(value!)).digest() },
};

const timeFunctions: Record<string, LibraryFunction> = {
  'duration.abs': {
    arity: 1,
    call([value]) {
      if (!isKind(value!, 'duration')) throw new EvaluationError('duration.abs() takes a duration.');
      return durationOf(value.nanos < 0n ? -value.nanos : value.nanos);
    },
  },
  'duration.time': {
    arity: 4,
    call: ([hours, minutes, seconds, nanos]) =>
      durationTime(integerOf(hours!), integerOf(minutes!), integerOf(seconds!), integerOf(nanos!)),
  },
  'duration.value': {
    arity: 2,
    call: ([magnitude, unit]) => durationValue(integerOf(magnitude!), textOf(unit!)),
  },
  'timestamp.date': {
    arity: 3,
    call: ([year, month, day]) => timestampDate(integerOf(year!), integerOf(month!), integerOf(day!)),
  },
  'timestamp.value': { arity: 1, call: ([millis]) => timestampOf(integerOf(millis!) * nanosPerMilli) },
};

const placeFunctions: Record<string, LibraryFunction> = {
  'latlng.value': {
    arity: 2,
    call([latitudeValue, longitudeValue]) {
      const [latitude, longitude] = [floatOf(latitudeValue!), floatOf(longitudeValue!)];
      if (!(Math.abs(latitude) <= 90 && Math.abs(longitude) <= 180)) {
        throw new EvaluationError('A latitude is within ±90 degrees, a longitude within ±180.');
      }
      return { kind: 'latlng', latitude, longitude };
    },
  },
};

/** By name, those of a namespace as `math.abs`. */
export const libraryFunctions: Readonly<Record<string, LibraryFunction>> = {
  ...conversions,
  ...mathFunctions,
  ...hashingFunctions,
  ...timeFunctions,
  ...placeFunctions,
};

/** What may stand before the dot of such a name, `firestore` in Storage rules included. */
export const namespaces = new Set(['math', 'hashing', 'duration', 'timestamp', 'latlng', 'firestore']);

/**
 * Functions that look up other documents, and how many arguments they take. In Storage rules they are called
 * `firestore.get` and `firestore.exists`.
 */
export const documentFunctions: Readonly<
  Record<'cloud.firestore' | 'firebase.storage', Record<string, number>>
> = {
  'cloud.firestore': { get: 1, exists: 1, getAfter: 1, existsAfter: 1 },
  'firebase.storage': { 'firestore.get': 1, 'firestore.exists': 1 },
};
