/** What a value is, whether two are identical, what one may be, and how large it counts. */
import { NAME_FIELD } from './field-path.ts';
import type { Fields, LatLng, Timestamp, Value } from './messages.ts';
import { parseDocumentName } from './path.ts';
import { invalidArgument } from './status.ts';
import { truncateToMicros } from './timestamp.ts';

/** Firestore's limits: https://firebase.google.com/docs/firestore/quotas#limits */
export const MAX_DOCUMENT_BYTES = 1_048_576;
const MAX_DEPTH = 20;
const MAX_FIELD_NAME_BYTES = 1500;
const MAX_VECTOR_DIMENSIONS = 2048;
const MIN_TIMESTAMP_SECONDS = -62_135_596_800;
const MAX_TIMESTAMP_SECONDS = 253_402_300_799;

export type ValueKind =
  | 'nullValue'
  | 'booleanValue'
  | 'integerValue'
  | 'doubleValue'
  | 'timestampValue'
  | 'stringValue'
  | 'bytesValue'
  | 'referenceValue'
  | 'geoPointValue'
  | 'arrayValue'
  | 'mapValue';

const KINDS: ReadonlySet<string> = new Set<ValueKind>([
  'nullValue',
  'booleanValue',
  'integerValue',
  'doubleValue',
  'timestampValue',
  'stringValue',
  'bytesValue',
  'referenceValue',
  'geoPointValue',
  'arrayValue',
  'mapValue',
]);

export const NULL: Value = { nullValue: 'NULL_VALUE' };

/** @throws StatusError INVALID_ARGUMENT when no type of this API version is set. */
export function kindOf(value: Value): ValueKind {
  for (const key in value) if (KINDS.has(key)) return key as ValueKind;
  throw invalidArgument('A value has no type set: expected one of null, boolean, integer, double and so on.');
}

export function isNumber(value: Value): value is { integerValue: string } | { doubleValue: number } {
  return 'integerValue' in value || 'doubleValue' in value;
}

export function isNan(value: Value): boolean {
  return 'doubleValue' in value && Number.isNaN(value.doubleValue);
}

export function isNull(value: Value): boolean {
  return 'nullValue' in value;
}

/** The number as a double; integers beyond 2^53 lose digits, as in Firestore's own mixed arithmetic. */
export function toDouble(value: { integerValue: string } | { doubleValue: number }): number {
  return 'integerValue' in value ? Number(value.integerValue) : value.doubleValue;
}

/** The numbers of a vector, which is a map with a mark; undefined for everything else. */
export function vectorValues(value: Value): Value[] | undefined {
  if (!('mapValue' in value)) return undefined;
  const fields = value.mapValue.fields;
  const mark = fields?.['__type__'];
  if (mark === undefined || !('stringValue' in mark) || mark.stringValue !== '__vector__') return undefined;
  const inner = fields?.['value'];
  return inner !== undefined && 'arrayValue' in inner ? (inner.arrayValue.values ?? []) : [];
}

/** Identity, stricter than the order's equality: 1 is not 1.0 and 0 is not -0. Tells writes that change nothing. */
export function areIdentical(left: Value, right: Value): boolean {
  const kind = kindOf(left);
  if (kind !== kindOf(right)) return false;
  const a = payloadOf(left);
  const b = payloadOf(right);
  switch (kind) {
    case 'timestampValue': {
      const [x, y] = [truncateToMicros(a as object), truncateToMicros(b as object)];
      return x.seconds === y.seconds && x.nanos === y.nanos;
    }
    case 'bytesValue':
      return (a as Buffer).equals(b as Buffer);
    case 'geoPointValue': {
      const [x, y] = [a as LatLng, b as LatLng];
      return Object.is(x.latitude ?? 0, y.latitude ?? 0) && Object.is(x.longitude ?? 0, y.longitude ?? 0);
    }
    case 'arrayValue': {
      const x = (a as { values?: Value[] }).values ?? [];
      const y = (b as { values?: Value[] }).values ?? [];
      return x.length === y.length && x.every((value, index) => areIdentical(value, y[index]!));
    }
    case 'mapValue':
      return haveIdenticalFields(
        (a as { fields?: Fields }).fields ?? {},
        (b as { fields?: Fields }).fields ?? {},
      );
    default:
      return Object.is(a, b);
  }
}

export function haveIdenticalFields(left: Fields, right: Fields): boolean {
  const names = Object.keys(left);
  return (
    names.length === Object.keys(right).length &&
    names.every((name) => Object.hasOwn(right, name) && areIdentical(left[name]!, right[name]!))
  );
}

function payloadOf(value: Value): unknown {
  return (value as Record<string, unknown>)[kindOf(value)];
}

/**
 * Checks what a client wants to store, and cuts timestamps to microseconds.
 *
 * @throws StatusError INVALID_ARGUMENT
 */
export function checkedFields(fields: Fields): Fields {
  return checkedMap(fields, 1);
}

function checkedMap(fields: Fields, depth: number): Fields {
  if (depth > MAX_DEPTH) throw invalidArgument(`Maps and arrays are nested deeper than ${MAX_DEPTH} levels.`);
  const checked: Fields = {};
  for (const [name, value] of Object.entries(fields)) {
    checkFieldName(name, depth, fields);
    checked[name] = checkedValue(value, depth);
  }
  return checked;
}

function checkFieldName(name: string, depth: number, siblings: Fields): void {
  if (name === '') throw invalidArgument('Property name is the empty string.');
  if (/^__.*__$/s.test(name)) {
    // A vector is a map with the mark __type__; every other such name is Firestore's own.
    const isVectorMark = name === '__type__' && depth > 1 && vectorValues({ mapValue: { fields: siblings } });
    if (name === NAME_FIELD || !isVectorMark) {
      throw invalidArgument(`Property name "${name}" is invalid because it is reserved.`);
    }
  }
  if (name.length * 3 > MAX_FIELD_NAME_BYTES && Buffer.byteLength(name) > MAX_FIELD_NAME_BYTES) {
    throw invalidArgument(`Property name is longer than ${MAX_FIELD_NAME_BYTES} bytes.`);
  }
}

/** One value as {@link checkedFields} checks them; `depth` is that of the map or array which holds it. */
export function checkedValue(value: Value, depth: number): Value {
  switch (kindOf(value)) {
    case 'timestampValue':
      return { timestampValue: checkedTimestamp((value as { timestampValue: Timestamp }).timestampValue) };
    case 'mapValue':
      checkVector(value);
      return {
        mapValue: {
          fields: checkedMap((value as { mapValue: { fields?: Fields } }).mapValue.fields ?? {}, depth + 1),
        },
      };
    case 'arrayValue': {
      if (depth + 1 > MAX_DEPTH)
        throw invalidArgument(`Maps and arrays are nested deeper than ${MAX_DEPTH} levels.`);
      const values = (value as { arrayValue: { values?: Value[] } }).arrayValue.values ?? [];
      return {
        arrayValue: {
          values: values.map((element) => {
            if ('arrayValue' in element)
              throw invalidArgument('Cannot convert an array value in an array value.');
            return checkedValue(element, depth + 1);
          }),
        },
      };
    }
    case 'referenceValue':
      parseDocumentName((value as { referenceValue: string }).referenceValue);
      return value;
    case 'geoPointValue': {
      const { latitude = 0, longitude = 0 } = (value as { geoPointValue: LatLng }).geoPointValue;
      if (!(Math.abs(latitude) <= 90) || !(Math.abs(longitude) <= 180)) {
        throw invalidArgument(
          `Geo point (${latitude}, ${longitude}) is out of range: expected latitude within ±90 and longitude within ±180.`,
        );
      }
      return value;
    }
    default:
      return value;
  }
}

function checkVector(value: Value): void {
  const elements = vectorValues(value);
  if (elements === undefined) return;
  const { fields = {} } = (value as { mapValue: { fields?: Fields } }).mapValue;
  if (Object.keys(fields).length !== 2 || !('arrayValue' in (fields['value'] ?? {}))) {
    throw invalidArgument('A vector must have the fields __type__ and value, an array, and no others.');
  }
  if (elements.length === 0 || elements.length > MAX_VECTOR_DIMENSIONS) {
    throw invalidArgument(
      `A vector has ${elements.length} dimensions: expected 1 to ${MAX_VECTOR_DIMENSIONS}.`,
    );
  }
  if (!elements.every((element) => 'doubleValue' in element)) {
    throw invalidArgument('A vector must hold doubles only.');
  }
}

/** Years 1 to 9999, which is also what JSON can say. */
function checkedTimestamp(timestamp: Timestamp): Timestamp {
  const seconds = Number(timestamp.seconds ?? '0');
  const nanos = timestamp.nanos ?? 0;
  if (
    seconds < MIN_TIMESTAMP_SECONDS ||
    seconds > MAX_TIMESTAMP_SECONDS ||
    nanos < 0 ||
    nanos > 999_999_999
  ) {
    throw invalidArgument(`Timestamp (${seconds} s, ${nanos} ns) is out of range: expected years 1 to 9999.`);
  }
  return truncateToMicros(timestamp);
}

/** Bytes a document counts, by https://firebase.google.com/docs/firestore/storage-size */
export function documentSizeBytes(name: string, fields: Fields): number {
  return nameSizeBytes(name) + fieldsSizeBytes(fields) + 32;
}

function nameSizeBytes(name: string): number {
  const segments = name.split('/').slice(5);
  return segments.reduce((total, segment) => total + stringSizeBytes(segment), 16);
}

/** Bytes that fields count, names included. @throws StatusError for a value without a type. */
export function fieldsSizeBytes(fields: Fields): number {
  let total = 0;
  for (const name of Object.keys(fields)) total += stringSizeBytes(name) + valueSizeBytes(fields[name]!);
  return total;
}

function valueSizeBytes(value: Value): number {
  if ('stringValue' in value) return stringSizeBytes(value.stringValue);
  if ('bytesValue' in value) return value.bytesValue.length;
  if ('mapValue' in value) return fieldsSizeBytes(value.mapValue.fields ?? {});
  if ('arrayValue' in value) {
    return (value.arrayValue.values ?? []).reduce((total, element) => total + valueSizeBytes(element), 0);
  }
  if ('referenceValue' in value) return nameSizeBytes(value.referenceValue);
  if ('geoPointValue' in value) return 16;
  if ('nullValue' in value || 'booleanValue' in value) return 1;
  return 8;
}

function stringSizeBytes(text: string): number {
  return Buffer.byteLength(text) + 1;
}
