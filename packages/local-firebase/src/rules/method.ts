/** What the tables of methods are made of: a method's form, and the checks of its arguments. */
import { EvaluationError, type RulesValue, typeOf } from './values.ts';

/** How many arguments a method takes, and what it does with them. */
type ValueMethod = {
  arity: number;
  call: (self: never, parameters: readonly RulesValue[]) => RulesValue;
};

/** The methods of one type by name. */
export type MethodTable = Record<string, ValueMethod>;

/** @throws EvaluationError when it is no string. */
export function textOf(value: RulesValue): string {
  if (typeof value === 'string') return value;
  throw new EvaluationError(`Expected a string, got ${typeOf(value)}.`);
}

/** Longer than any value that a document can hold, and short enough to build a thousand of them. */
const maxLength = 2 ** 22;

/** Bounds what a condition can build from its own results. @throws EvaluationError */
export function ensureLength(length: number): void {
  if (length > maxLength) throw new EvaluationError(`A value would be longer than ${maxLength}.`);
}

/** A count as an int. */
export function size(count: number): bigint {
  return BigInt(count);
}
