/** Firestore's total order of values: by type first, then within the type. */
import type { ArrayValue, Fields, LatLng, MapValue, Timestamp, Value } from './messages.ts';
import { compareNames, compareUtf8 } from './path.ts';
import { compareTimestamps } from './timestamp.ts';
import { kindOf, toDouble, type ValueKind, vectorValues } from './values.ts';

/** https://firebase.google.com/docs/firestore/manage-data/data-types#value_type_ordering */
const TYPE_ORDER: Record<ValueKind, number> = {
  nullValue: 0,
  booleanValue: 1,
  integerValue: 2,
  doubleValue: 2,
  timestampValue: 3,
  stringValue: 4,
  bytesValue: 5,
  referenceValue: 6,
  geoPointValue: 7,
  arrayValue: 8,
  mapValue: 10,
};
const VECTOR_ORDER = 9;

/** A number per type: types with different numbers never match each other in a filter. */
export function typeOrder(value: Value): number {
  return vectorValues(value) === undefined ? TYPE_ORDER[kindOf(value)] : VECTOR_ORDER;
}

/** Negative, zero or positive. Zero means equal in Firestore's sense: 1 equals 1.0 and NaN equals NaN. */
export function compareValues(left: Value, right: Value): number {
  const type = typeOrder(left);
  const otherType = typeOrder(right);
  if (type !== otherType) return type - otherType;
  if (type === VECTOR_ORDER) return compareVectors(vectorValues(left)!, vectorValues(right)!);
  switch (kindOf(left)) {
    case 'nullValue':
      return 0;
    case 'booleanValue':
      return Number(payload<boolean>(left, 'booleanValue')) - Number(payload<boolean>(right, 'booleanValue'));
    case 'integerValue':
    case 'doubleValue':
      return compareNumbers(left as NumberValue, right as NumberValue);
    case 'timestampValue':
      return compareTimestamps(payload<Timestamp>(left, 'timestampValue'), payload(right, 'timestampValue'));
    case 'stringValue':
      return compareUtf8(payload(left, 'stringValue'), payload(right, 'stringValue'));
    case 'bytesValue':
      return Buffer.compare(payload<Buffer>(left, 'bytesValue'), payload<Buffer>(right, 'bytesValue'));
    case 'referenceValue':
      return compareNames(payload(left, 'referenceValue'), payload(right, 'referenceValue'));
    case 'geoPointValue':
      return compareGeoPoints(payload(left, 'geoPointValue'), payload(right, 'geoPointValue'));
    case 'arrayValue':
      return compareArrays(
        payload<ArrayValue>(left, 'arrayValue').values ?? [],
        payload<ArrayValue>(right, 'arrayValue').values ?? [],
      );
    case 'mapValue':
      return compareMaps(
        payload<MapValue>(left, 'mapValue').fields ?? {},
        payload<MapValue>(right, 'mapValue').fields ?? {},
      );
  }
}

export function areEqual(left: Value, right: Value): boolean {
  return compareValues(left, right) === 0;
}

type NumberValue = { integerValue: string } | { doubleValue: number };

function payload<T>(value: Value, kind: ValueKind): T {
  return (value as Record<string, unknown>)[kind] as T;
}

function compareNumbers(left: NumberValue, right: NumberValue): number {
  if ('integerValue' in left && 'integerValue' in right) {
    const [a, b] = [Number(left.integerValue), Number(right.integerValue)];
    if (Number.isSafeInteger(a) || Number.isSafeInteger(b)) return Math.sign(a - b);
    return compareBigInts(BigInt(left.integerValue), BigInt(right.integerValue));
  }
  if ('integerValue' in left)
    return -compareDoubleToInteger((right as { doubleValue: number }).doubleValue, left);
  if ('integerValue' in right) return compareDoubleToInteger(left.doubleValue, right);
  return compareDoubles(left.doubleValue, right.doubleValue);
}

/** Exact: a double beyond 2^53 must not swallow the integers next to it. */
function compareDoubleToInteger(double: number, integer: { integerValue: string }): number {
  if (Number.isNaN(double)) return -1;
  const asDouble = toDouble(integer);
  if (Number.isSafeInteger(asDouble) || !Number.isFinite(double) || asDouble !== double) {
    return compareDoubles(double, asDouble);
  }
  return compareBigInts(BigInt(double), BigInt(integer.integerValue));
}

function compareDoubles(left: number, right: number): number {
  if (Number.isNaN(left)) return Number.isNaN(right) ? 0 : -1;
  if (Number.isNaN(right)) return 1;
  return left < right ? -1 : left > right ? 1 : 0;
}

function compareBigInts(left: bigint, right: bigint): number {
  return left < right ? -1 : left > right ? 1 : 0;
}

function compareGeoPoints(left: LatLng, right: LatLng): number {
  return (
    compareDoubles(left.latitude ?? 0, right.latitude ?? 0) ||
    compareDoubles(left.longitude ?? 0, right.longitude ?? 0)
  );
}

function compareArrays(left: Value[], right: Value[]): number {
  const length = Math.min(left.length, right.length);
  for (let index = 0; index < length; index++) {
    const order = compareValues(left[index]!, right[index]!);
    if (order !== 0) return order;
  }
  return left.length - right.length;
}

/** Shorter vectors come first, whatever they hold. */
function compareVectors(left: Value[], right: Value[]): number {
  return left.length === right.length ? compareArrays(left, right) : left.length - right.length;
}

function compareMaps(left: Fields, right: Fields): number {
  const leftNames = Object.keys(left).sort(compareUtf8);
  const rightNames = Object.keys(right).sort(compareUtf8);
  const length = Math.min(leftNames.length, rightNames.length);
  for (let index = 0; index < length; index++) {
    const [leftName, rightName] = [leftNames[index]!, rightNames[index]!];
    const order = compareUtf8(leftName, rightName) || compareValues(left[leftName]!, right[rightName]!);
    if (order !== 0) return order;
  }
  return leftNames.length - rightNames.length;
}
