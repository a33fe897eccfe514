/** A query's filter as alternatives, each a list of plain conditions: what indexes and security rules reason about. */
import { fieldPathOf } from './field-path.ts';
import type { FieldFilter, FieldOperator, Filter, UnaryFilter, Value } from './messages.ts';
import { areEqual } from './order.ts';
import { isNan, isNull, NULL } from './values.ts';

/** One comparison of one field. `IN` and `ARRAY_CONTAINS_ANY` have become alternatives, and unary filters comparisons. */
export type Condition = {
  fieldPath: string;
  op: Exclude<FieldOperator, 'OPERATOR_UNSPECIFIED' | 'IN' | 'ARRAY_CONTAINS_ANY'>;
  value: Value;
};

/** A document matches the filter when it meets all conditions of one of the alternatives. */
export type Alternative = readonly Condition[];

const NAN: Value = { doubleValue: Number.NaN };

/** The disjunctive normal form of a filter that `compileFilter` accepts; no alternative at all when nothing can match. */
export function alternativesOf(filter: Filter | undefined): Alternative[] {
  if (filter === undefined) return [[]];
  const { compositeFilter, fieldFilter, unaryFilter } = filter;
  if (compositeFilter !== undefined) {
    const parts = (compositeFilter.filters ?? []).map(alternativesOf);
    if (compositeFilter.op === 'OR') return parts.flat();
    return parts.reduce<Alternative[]>(
      (products, part) => products.flatMap((left) => part.map((right) => [...left, ...right])),
      [[]],
    );
  }
  if (fieldFilter !== undefined) return fieldAlternatives(fieldFilter);
  return [[unaryCondition(unaryFilter!)]];
}

function fieldAlternatives({ field, op, value }: FieldFilter): Alternative[] {
  const fieldPath = fieldPathOf(field);
  if (op === 'IN') return candidates(value!).map((each) => [{ fieldPath, op: 'EQUAL', value: each }]);
  if (op === 'ARRAY_CONTAINS_ANY') {
    return candidates(value!).map((each) => [{ fieldPath, op: 'ARRAY_CONTAINS', value: each }]);
  }
  return [[{ fieldPath, op: op as Condition['op'], value: value! }]];
}

/** Null and NaN are found by `==` alone. */
function candidates(operand: Value): Value[] {
  const values = 'arrayValue' in operand ? (operand.arrayValue.values ?? []) : [];
  return values.filter(
    (value, index) =>
      !isNull(value) && !isNan(value) && values.findIndex((earlier) => areEqual(earlier, value)) === index,
  );
}

function unaryCondition({ field, op }: UnaryFilter): Condition {
  const fieldPath = fieldPathOf(field);
  const isNegated = op === 'IS_NOT_NULL' || op === 'IS_NOT_NAN';
  const value = op === 'IS_NULL' || op === 'IS_NOT_NULL' ? NULL : NAN;
  return { fieldPath, op: isNegated ? 'NOT_EQUAL' : 'EQUAL', value };
}
