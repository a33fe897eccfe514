/** Field transforms: server time, arithmetic and array edits that the server computes from the stored value. */
import type { FieldTransform, Value } from './messages.ts';
import { areEqual, compareValues } from './order.ts';
import { invalidArgument } from './status.ts';
import { timestampFromMicros } from './timestamp.ts';
import { checkedValue, isNan, isNumber, NULL, toDouble } from './values.ts';

const MAX_INT64 = (1n << 63n) - 1n;
const MIN_INT64 = -(1n << 63n);

/** `result` is what the write's response shows for the transform. */
export type TransformOutcome = { value: Value; result: Value };

/**
 * @param before The field's value after the write's own update, undefined where it has none.
 * @param commitMicros The commit's time; the server timestamp shows its milliseconds.
 */
export function applyTransform(
  transform: FieldTransform,
  before: Value | undefined,
  commitMicros: number,
): TransformOutcome {
  if (transform.setToServerValue === 'REQUEST_TIME') {
    const value = { timestampValue: timestampFromMicros(Math.floor(commitMicros / 1000) * 1000) };
    return { value, result: value };
  }
  if (transform.increment !== undefined)
    return same(increment(before, numberOf(transform.increment, 'increment')));
  if (transform.maximum !== undefined)
    return same(extreme(before, numberOf(transform.maximum, 'maximum'), 1));
  if (transform.minimum !== undefined)
    return same(extreme(before, numberOf(transform.minimum, 'minimum'), -1));
  if (transform.appendMissingElements !== undefined) {
    const values = [...arrayOf(before)];
    for (const element of checkedElements(transform.appendMissingElements.values)) {
      if (!values.some((existing) => areEqual(existing, element))) values.push(element);
    }
    return { value: { arrayValue: { values } }, result: NULL };
  }
  if (transform.removeAllFromArray !== undefined) {
    const unwanted = checkedElements(transform.removeAllFromArray.values);
    const values = arrayOf(before).filter((element) => !unwanted.some((other) => areEqual(element, other)));
    return { value: { arrayValue: { values } }, result: NULL };
  }
  throw invalidArgument(`The transform of field "${transform.fieldPath}" has no operation.`);
}

type NumberValue = { integerValue: string } | { doubleValue: number };

function same(value: Value): TransformOutcome {
  return { value, result: value };
}

function numberOf(value: Value, operation: string): NumberValue {
  if (isNumber(value)) return value;
  throw invalidArgument(`The operand of ${operation} must be an integer or a double.`);
}

function arrayOf(value: Value | undefined): Value[] {
  return value !== undefined && 'arrayValue' in value ? (value.arrayValue.values ?? []) : [];
}

function checkedElements(values: Value[] = []): Value[] {
  return values.map((value) => {
    if ('arrayValue' in value) throw invalidArgument('Cannot convert an array value in an array value.');
    return checkedValue(value, 1);
  });
}

/** Integers saturate at the ends of int64; an integer and a double make a double. */
function increment(before: Value | undefined, operand: NumberValue): Value {
  if (before === undefined || !isNumber(before)) return operand;
  if ('integerValue' in before && 'integerValue' in operand) {
    const sum = BigInt(before.integerValue) + BigInt(operand.integerValue);
    return { integerValue: String(sum > MAX_INT64 ? MAX_INT64 : sum < MIN_INT64 ? MIN_INT64 : sum) };
  }
  return { doubleValue: toDouble(before) + toDouble(operand) };
}

/** Equal numbers of different types keep the stored one; NaN wins over everything. */
function extreme(before: Value | undefined, operand: NumberValue, sign: 1 | -1): Value {
  if (before === undefined || !isNumber(before)) return operand;
  if (isNan(before) || isNan(operand)) return { doubleValue: Number.NaN };
  return compareValues(operand, before) * sign > 0 ? operand : before;
}
