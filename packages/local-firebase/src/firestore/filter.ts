/** Filters of a structured query, checked and turned into a predicate over documents. */
import { alternativesOf } from './disjunctions.ts';
import { fieldPathOf, getField, NAME_FIELD, parseFieldPath } from './field-path.ts';
import type { FieldFilter, FieldOperator, Filter, UnaryFilter, Value } from './messages.ts';
import { areEqual, compareValues, typeOrder } from './order.ts';
import { invalidArgument } from './status.ts';
import type { StoredDocument } from './stored-document.ts';
import { isNan, isNull } from './values.ts';

type Predicate = (document: StoredDocument) => boolean;

/** `inequalityFields` are those that the query sorts by even if it does not say so. */
export type CompiledFilter = {
  matches: Predicate;
  inequalityFields: ReadonlySet<string>;
  /** Every field that the filter is about. */
  fields: ReadonlySet<string>;
};

/** https://firebase.google.com/docs/firestore/query-data/queries#query_limitations */
const MAX_DISJUNCTIONS = 30;
const MAX_NOT_IN_VALUES = 10;
const MAX_INEQUALITY_FIELDS = 10;

const INEQUALITIES: ReadonlySet<FieldOperator | undefined> = new Set([
  'LESS_THAN',
  'LESS_THAN_OR_EQUAL',
  'GREATER_THAN',
  'GREATER_THAN_OR_EQUAL',
  'NOT_EQUAL',
  'NOT_IN',
]);

/** The value of a field, of which the document's name is one. */
export function valueAt(document: StoredDocument, fieldPath: string): Value | undefined {
  if (fieldPath === NAME_FIELD) return { referenceValue: document.name };
  return getField(document.fields, parseFieldPath(fieldPath));
}

/** @throws StatusError INVALID_ARGUMENT for filters that Firestore refuses. */
export function compileFilter(filter: Filter | undefined): CompiledFilter {
  const inequalityFields = new Set<string>();
  const fields = new Set<string>();
  const operators = new Set<string | undefined>();
  let negations = 0;
  const alternatives = filter === undefined ? 1 : countAlternatives(filter);
  if (alternatives > MAX_DISJUNCTIONS) {
    throw invalidArgument(
      `The query expands to ${alternatives} disjunctions: expected at most ${MAX_DISJUNCTIONS} (values of in and ` +
        'array-contains-any and branches of or multiply).',
    );
  }
  const matches = filter === undefined ? () => true : compile(filter);
  if (negations > 1) {
    throw invalidArgument(
      "Only a single 'NOT_EQUAL', 'NOT_IN', 'IS_NOT_NAN', or 'IS_NOT_NULL' filter allowed per query.",
    );
  }
  for (const other of ['IN', 'ARRAY_CONTAINS_ANY', 'OR']) {
    if (operators.has('NOT_IN') && operators.has(other)) {
      throw invalidArgument(`'NOT_IN' cannot be used in the same query with '${other}'.`);
    }
  }
  if (inequalityFields.size > MAX_INEQUALITY_FIELDS) {
    throw invalidArgument(
      `The query has inequalities on ${inequalityFields.size} fields: expected at most ${MAX_INEQUALITY_FIELDS}.`,
    );
  }
  checkArrayContains(filter);
  return { matches, inequalityFields, fields };

  function compile({ compositeFilter, fieldFilter, unaryFilter }: Filter): Predicate {
    if (compositeFilter !== undefined) {
      if ((compositeFilter.filters ?? []).length > 1) operators.add(compositeFilter.op);
      const parts = (compositeFilter.filters ?? []).map(compile);
      if (compositeFilter.op === 'OR') return (document) => parts.some((part) => part(document));
      if (compositeFilter.op === 'AND') return (document) => parts.every((part) => part(document));
      throw invalidArgument(`Composite filter operator ${compositeFilter.op} is not AND or OR.`);
    }
    if (fieldFilter !== undefined) {
      const fieldPath = fieldPathOf(fieldFilter.field);
      fields.add(fieldPath);
      operators.add(fieldFilter.op);
      if (INEQUALITIES.has(fieldFilter.op)) inequalityFields.add(fieldPath);
      if (fieldFilter.op === 'NOT_EQUAL' || fieldFilter.op === 'NOT_IN') negations++;
      if (fieldPath === NAME_FIELD) checkNameFilter(fieldFilter);
      return compileFieldFilter(fieldFilter);
    }
    if (unaryFilter !== undefined) {
      const fieldPath = fieldPathOf(unaryFilter.field);
      fields.add(fieldPath);
      if (unaryFilter.op === 'IS_NOT_NAN' || unaryFilter.op === 'IS_NOT_NULL') {
        inequalityFields.add(fieldPath);
        negations++;
      }
      return compileUnaryFilter(unaryFilter);
    }
    throw invalidArgument('A filter has no type set: expected a composite, field or unary filter.');
  }
}

/** Branches in disjunctive normal form: ands multiply, ors add. */
function countAlternatives({ compositeFilter, fieldFilter }: Filter): number {
  if (compositeFilter !== undefined) {
    const counts = (compositeFilter.filters ?? []).map(countAlternatives);
    return compositeFilter.op === 'OR'
      ? counts.reduce((sum, count) => sum + count, 0)
      : counts.reduce((product, count) => product * count, 1);
  }
  const isDisjunctive = fieldFilter?.op === 'IN' || fieldFilter?.op === 'ARRAY_CONTAINS_ANY';
  return isDisjunctive ? Math.max(1, arrayOf(fieldFilter.value).length) : 1;
}

function checkArrayContains(filter: Filter | undefined): void {
  for (const alternative of alternativesOf(filter)) {
    if (alternative.filter(({ op }) => op === 'ARRAY_CONTAINS').length > 1) {
      throw invalidArgument("A maximum of 1 'ARRAY_CONTAINS' filter is allowed per disjunction.");
    }
  }
}

/** Names compare with references only. */
function checkNameFilter({ op, value }: FieldFilter): void {
  if (op === 'ARRAY_CONTAINS' || op === 'ARRAY_CONTAINS_ANY') {
    throw invalidArgument(`'${op}' filter on __key__ is not allowed.`);
  }
  const operands = op === 'IN' || op === 'NOT_IN' ? arrayOf(value) : [value];
  const isKey = (operand: Value | undefined) => operand !== undefined && 'referenceValue' in operand;
  if (!operands.every(isKey)) throw invalidArgument('__key__ filter value must be a Key');
}

function compileUnaryFilter({ field, op }: UnaryFilter): Predicate {
  const fieldPath = fieldPathOf(field);
  const tests: Record<string, (value: Value) => boolean> = {
    IS_NULL: isNull,
    IS_NOT_NULL: (value) => !isNull(value),
    IS_NAN: isNan,
    IS_NOT_NAN: (value) => !isNan(value) && !isNull(value),
  };
  const test = tests[op ?? ''];
  if (test === undefined) throw invalidArgument(`Unary filter operator ${op} is not known.`);
  return (document) => {
    const value = valueAt(document, fieldPath);
    return value !== undefined && test(value);
  };
}

function compileFieldFilter(filter: FieldFilter): Predicate {
  const fieldPath = fieldPathOf(filter.field);
  const test = fieldTest(filter, fieldPath);
  return (document) => {
    const value = valueAt(document, fieldPath);
    return value !== undefined && test(value);
  };
}

/** Comparisons hold within one type only; null and NaN are found by their unary filters alone. */
function fieldTest(filter: FieldFilter, fieldPath: string): (value: Value) => boolean {
  const { op, value: operand } = filter;
  if (operand === undefined) throw invalidArgument(`The filter on "${fieldPath}" has no value.`);
  const type = typeOrder(operand);
  const compared = (holds: (order: number) => boolean) => (value: Value) =>
    typeOrder(value) === type && holds(compareValues(value, operand));
  switch (op) {
    case 'EQUAL':
      return compared((order) => order === 0);
    case 'LESS_THAN':
      return compared((order) => order < 0);
    case 'LESS_THAN_OR_EQUAL':
      return compared((order) => order <= 0);
    case 'GREATER_THAN':
      return compared((order) => order > 0);
    case 'GREATER_THAN_OR_EQUAL':
      return compared((order) => order >= 0);
    case 'NOT_EQUAL':
      return (value) => !isNull(value) && !areEqual(value, operand);
    case 'ARRAY_CONTAINS':
      return (value) => arrayOf(value).some((element) => areEqual(element, operand));
    case 'IN': {
      const candidates = checkedElements(op, operand).filter(
        (element) => !isNull(element) && !isNan(element),
      );
      return (value) => candidates.some((candidate) => areEqual(value, candidate));
    }
    case 'ARRAY_CONTAINS_ANY': {
      const candidates = checkedElements(op, operand).filter(
        (element) => !isNull(element) && !isNan(element),
      );
      return (value) =>
        arrayOf(value).some((element) => candidates.some((candidate) => areEqual(element, candidate)));
    }
    case 'NOT_IN': {
      const excluded = checkedElements(op, operand, MAX_NOT_IN_VALUES);
      if (excluded.some(isNull)) return () => false;
      return (value) => !isNull(value) && !excluded.some((other) => areEqual(value, other));
    }
    default:
      throw invalidArgument(`The filter on "${fieldPath}" has no operator.`);
  }
}

function checkedElements(operator: FieldOperator, operand: Value, maximum = MAX_DISJUNCTIONS): Value[] {
  if (!('arrayValue' in operand)) throw invalidArgument(`'${operator}' requires an ArrayValue.`);
  const elements = arrayOf(operand);
  if (elements.length === 0) throw invalidArgument(`'${operator}' requires an non-empty ArrayValue.`);
  if (elements.length > maximum) {
    throw invalidArgument(
      `'${operator}' supports up to ${maximum} comparison values. Received: ${elements.length}.`,
    );
  }
  return elements;
}

function arrayOf(value: Value | undefined): Value[] {
  return value !== undefined && 'arrayValue' in value ? (value.arrayValue.values ?? []) : [];
}
