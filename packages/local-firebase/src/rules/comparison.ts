/** Equality and order of values, and what a query's filter implies about a value that it leaves open. */
import {
  EvaluationError,
  isKind,
  isList,
  isMap,
  type RulesList,
  type RulesMap,
  type RulesSet,
  type RulesValue,
  typeOf,
  type Unknown,
} from './values.ts';

/** Equal values; values of different types are not, but for the two kinds of numbers. @throws EvaluationError */
export function areEqual(left: RulesValue, right: RulesValue): boolean {
  if (isKind(left, 'unknown') || isKind(right, 'unknown')) throw unknownValue();
  // biome-ignore lint/suspicious/noDoubleEquals: ints and floats are equal when their numbers are.
  if (isNumber(left) && isNumber(right)) return left == right;
  if (typeOf(left) !== typeOf(right)) return false;
  if (typeof left !== 'object' || left === null) return left === right;
  if (isKind(left, 'partial_map') || isKind(right, 'partial_map')) throw unknownValue();
  if (left instanceof Uint8Array) return Buffer.compare(left, right as Uint8Array) === 0;
  if (isList(left)) return equalLists(left, right as RulesList);
  if (isMap(left)) return equalMaps(left, right as RulesMap);
  if (isKind(left, 'set')) return equalSets(left, right as RulesSet);
  if (isKind(left, 'path') && isKind(right, 'path')) return equalLists(left.segments, right.segments);
  if (isKind(left, 'latlng') && isKind(right, 'latlng')) {
    return left.latitude === right.latitude && left.longitude === right.longitude;
  }
  if (isKind(left, 'map_diff') && isKind(right, 'map_diff')) {
    return equalMaps(left.before, right.before) && equalMaps(left.after, right.after);
  }
  return compare(left, right) === 0;
}

function isNumber(value: RulesValue): value is bigint | number {
  return typeof value === 'bigint' || typeof value === 'number';
}

function equalLists(left: RulesList, right: RulesList): boolean {
  return left.length === right.length && left.every((element, index) => areEqual(element, right[index]!));
}

function equalMaps(left: RulesMap, right: RulesMap): boolean {
  if (left.size !== right.size) return false;
  for (const [key, value] of left) {
    const other = right.get(key);
    if (other === undefined || !areEqual(value, other)) return false;
  }
  return true;
}

function equalSets(left: RulesSet, right: RulesSet): boolean {
  return (
    left.elements.length === right.elements.length &&
    left.elements.every((element) => contains(right.elements, element))
  );
}

/** Whether an element equals the value. */
export function contains(elements: RulesList, value: RulesValue): boolean {
  return elements.some((element) => areEqual(element, value));
}

/**
 * Orders two values of one type: numbers, strings, bytes, timestamps, durations. NaN is below nothing and above nothing.
 *
 * @returns Below 0, 0 or above 0; NaN where neither comes first.
 * @throws EvaluationError for types that have no order, and for two types.
 */
function compare(left: RulesValue, right: RulesValue): number {
  if (isKind(left, 'unknown') || isKind(right, 'unknown')) throw unknownValue();
  if (isNumber(left) && isNumber(right)) {
    if (Number.isNaN(left) || Number.isNaN(right)) return Number.NaN;
    return left < right ? -1 : left > right ? 1 : 0;
  }
  if (typeof left === 'string' && typeof right === 'string') {
    return Buffer.compare(Buffer.from(left), Buffer.from(right));
  }
  if (left instanceof Uint8Array && right instanceof Uint8Array) return Buffer.compare(left, right);
  if (
    (isKind(left, 'timestamp') && isKind(right, 'timestamp')) ||
    (isKind(left, 'duration') && isKind(right, 'duration'))
  ) {
    return left.nanos < right.nanos ? -1 : left.nanos > right.nanos ? 1 : 0;
  }
  throw new EvaluationError(`Cannot order ${typeOf(left)} and ${typeOf(right)}.`);
}

type Comparison = '<' | '<=' | '>' | '>=';

/** Whether the order of two values is as the operator says. @throws EvaluationError */
export function holds(operator: Comparison, left: RulesValue, right: RulesValue): boolean {
  const order = compare(left, right);
  switch (operator) {
    case '<':
      return order < 0;
    case '<=':
      return order <= 0;
    case '>':
      return order > 0;
    case '>=':
      return order >= 0;
  }
}

/** The same comparison with its sides exchanged. */
export const mirrored: Record<Comparison, Comparison> = { '<': '>', '<=': '>=', '>': '<', '>=': '<=' };

/**
 * A comparison of an open value with a known one: true where one filter of the query alone implies it.
 *
 * @throws EvaluationError where none does: the value may then be anything.
 */
export function impliedComparison(
  operator: Comparison | '!=' | 'contains',
  { constraints }: Unknown,
  value: RulesValue,
): true {
  const isImplied = constraints.some((constraint) => {
    if (operator === 'contains') {
      return constraint.operator === 'contains' && areEqual(constraint.value, value);
    }
    if (constraint.operator === 'contains') return false;
    if (operator === '!=') return excludes(constraint.operator, constraint.value, value);
    if (constraint.operator === '!=' || constraint.operator[0] !== operator[0]) return false;
    // x > 5 implies x > 3, x >= 5 and, since the bound itself is no x, also x > 5.
    const isStricter = constraint.operator.length === 1 || operator.length === 2;
    const order = compare(constraint.value, value) * (operator[0] === '>' ? 1 : -1);
    return order > 0 || (order === 0 && isStricter);
  });
  if (isImplied) return true;
  throw unknownValue();
}

/** Whether "x operator bound" means that x is not the value. */
function excludes(operator: Comparison | '!=', bound: RulesValue, value: RulesValue): boolean {
  if (operator === '!=') return areEqual(bound, value);
  // An inequality matches values of its bound's type alone.
  if (typeOf(bound) !== typeOf(value) && !(isNumber(bound) && isNumber(value))) return true;
  return !holds(operator, value, bound);
}

/** For what cannot be said of all documents that a list may return. */
export function unknownValue(): EvaluationError {
  return new EvaluationError('The query does not say enough about its documents to decide this.');
}
