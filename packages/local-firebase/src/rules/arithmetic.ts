/** `+ - * / %` and the minus sign, on numbers, strings, timestamps and durations. */
import { durationOf, timestampOf } from './calendar.ts';
import { unknownValue } from './comparison.ts';
import { ensureLength } from './method.ts';
import type { BinaryOperator } from './syntax.ts';
import { checkedInteger, EvaluationError, isKind, type RulesValue, typeOf } from './values.ts';

type ArithmeticOperator = Extract<BinaryOperator, '+' | '-' | '*' | '/' | '%'>;

/** @throws EvaluationError for types that the operator does not take, an overflow, and a division of ints by zero. */
export function calculate(operator: ArithmeticOperator, left: RulesValue, right: RulesValue): RulesValue {
  if (isKind(left, 'unknown') || isKind(right, 'unknown')) throw unknownValue();
  if (typeof left === 'bigint' && typeof right === 'bigint') return ofIntegers(operator, left, right);
  const isLeftNumber = typeof left === 'number' || typeof left === 'bigint';
  const isRightNumber = typeof right === 'number' || typeof right === 'bigint';
  if (isLeftNumber && isRightNumber) return ofFloats(operator, Number(left), Number(right));
  if (operator === '+') {
    if (typeof left === 'string' && typeof right === 'string') {
      ensureLength(left.length + right.length);
      return left + right;
    }
    if (isKind(left, 'duration') && isKind(right, 'timestamp')) return timestampOf(right.nanos + left.nanos);
  }
  if ((operator === '+' || operator === '-') && isKind(right, 'duration')) {
    const nanos = operator === '+' ? right.nanos : -right.nanos;
    if (isKind(left, 'timestamp')) return timestampOf(left.nanos + nanos);
    if (isKind(left, 'duration')) return durationOf(left.nanos + nanos);
  }
  if (operator === '-' && isKind(left, 'timestamp') && isKind(right, 'timestamp')) {
    return durationOf(left.nanos - right.nanos);
  }
  throw new EvaluationError(`"${operator}" takes no ${typeOf(left)} and ${typeOf(right)}.`);
}

function ofIntegers(operator: ArithmeticOperator, left: bigint, right: bigint): bigint {
  switch (operator) {
    case '+':
      return checkedInteger(left + right);
    case '-':
      return checkedInteger(left - right);
    case '*':
      return checkedInteger(left * right);
  }
  if (right === 0n) throw new EvaluationError('Division by zero.');
  return operator === '/' ? checkedInteger(left / right) : left % right;
}

function ofFloats(operator: ArithmeticOperator, left: number, right: number): number {
  switch (operator) {
    case '+':
      return left + right;
    case '-':
      return left - right;
    case '*':
      return left * right;
    case '/':
      return left / right;
    case '%':
      return left % right;
  }
}

/** @throws EvaluationError when it is no number or duration, or has no opposite in 64 bits. */
export function negate(value: RulesValue): RulesValue {
  if (typeof value === 'bigint') return checkedInteger(-value);
  if (typeof value === 'number') return -value;
  if (isKind(value, 'duration')) return durationOf(-value.nanos);
  if (isKind(value, 'unknown')) throw unknownValue();
  throw new EvaluationError(`"-" takes no ${typeOf(value)}.`);
}
