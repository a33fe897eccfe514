/**
 * What a query says about the documents that it may return. Rules are not filters: a list is allowed only when they hold
 * for everything that the query could find, so a condition sees what the filter implies and nothing else.
 */
import type { Alternative, Condition } from '../firestore/disjunctions.ts';
import { NAME_FIELD, parseFieldPath } from '../firestore/field-path.ts';
import type { CompiledQuery } from '../firestore/query.ts';
import type { Scope } from '../firestore/scope.ts';
import { type DocumentReader, resourceValue, rulesValueOf, segmentsOf } from './firestore-values.ts';
import { anySegment, anySegments, type QuestionPath } from './match-path.ts';
import { type Constraint, isKind, type RulesMap, type RulesValue, type Unknown } from './values.ts';

/** One question that the rules must answer with yes for the query to be allowed. */
export type ListQuestion = { path: QuestionPath; resource: RulesValue };

/**
 * One question for each alternative of the filter. A filter `__name__ == x` asks about the
 * document that is stored there.
 */
export function listQuestions({ scope, alternatives }: CompiledQuery, read: DocumentReader): ListQuestion[] {
  // Where nothing can match, the rules are still asked: a client may not learn even that much of a closed collection.
  const asked = alternatives.length > 0 ? alternatives : [[]];
  return asked.map((alternative) => {
    const name = nameOf(alternative);
    if (name !== undefined) return { path: segmentsOf(name), resource: resourceValue(read(name)) };
    const unknown: Unknown = { kind: 'unknown', constraints: [] };
    const resource: RulesMap = new Map<string, RulesValue>([
      ['data', knownData(alternative)],
      ['id', unknown],
      ['__name__', unknown],
    ]);
    return { path: pathOfScope(scope), resource };
  });
}

/** `request.query`: the parts that the query has. */
export function queryValue({ limit, offset, sortKeys }: CompiledQuery): RulesMap {
  const orders = sortKeys.filter(({ fieldPath }) => fieldPath !== NAME_FIELD);
  return new Map<string, RulesValue>([
    ...(Number.isFinite(limit) ? [['limit', BigInt(limit)] as const] : []),
    ...(offset > 0 ? [['offset', BigInt(offset)] as const] : []),
    ['orderBy', new Map(orders.map(({ fieldPath, sign }) => [fieldPath, sign === 1 ? 'ASC' : 'DESC']))],
  ]);
}

/** Every path that a document of the scope can have. */
function pathOfScope(scope: Scope): QuestionPath {
  switch (scope.kind) {
    case 'collection':
      return [...segmentsOf(scope.path), anySegment];
    case 'group':
      return [...segmentsOf(scope.parent), anySegments, scope.collectionId, anySegment];
    case 'descendants':
      return [...segmentsOf(scope.parent), anySegment, anySegment, anySegments];
    case 'children':
      return [...segmentsOf(scope.parent), anySegment, anySegment];
  }
}

function nameOf(alternative: Alternative): string | undefined {
  const condition = alternative.find(({ fieldPath, op }) => fieldPath === NAME_FIELD && op === 'EQUAL');
  const value = condition?.value;
  return value !== undefined && 'referenceValue' in value ? value.referenceValue : undefined;
}

/** Fields by name: known, constrained, or maps of which some fields are. */
type Knowledge = Map<string, RulesValue>;

function knownData(alternative: Alternative): RulesValue {
  const known: Knowledge = new Map();
  for (const condition of alternative) {
    if (condition.fieldPath === NAME_FIELD) continue;
    const path = [...parseFieldPath(condition.fieldPath)];
    const last = path.pop()!;
    const fields = path.reduce<Knowledge | undefined>(innerFields, known);
    if (fields === undefined) continue;
    const combined = combine(fields.get(last), condition);
    if (combined !== undefined) fields.set(last, combined);
  }
  return { kind: 'partial_map', known };
}

/** The fields of a map of which a filter names one; undefined where another filter says all about it already. */
function innerFields(fields: Knowledge | undefined, name: string): Knowledge | undefined {
  const existing = fields?.get(name);
  // What a constraint says about the map as a whole cannot be shown beside what is known of its fields.
  if (existing === undefined || isKind(existing, 'unknown')) {
    const inner: Knowledge = new Map();
    fields?.set(name, { kind: 'partial_map', known: inner });
    return fields === undefined ? undefined : inner;
  }
  return isKind(existing, 'partial_map') ? (existing.known as Knowledge) : undefined;
}

/** What is known of a field with one more condition; undefined leaves it as it was. */
function combine(existing: RulesValue | undefined, condition: Condition): RulesValue | undefined {
  const isOpen = existing === undefined || isKind(existing, 'unknown');
  if (condition.op === 'EQUAL') {
    return isOpen || isKind(existing, 'partial_map') ? rulesValueOf(condition.value) : undefined;
  }
  if (!isOpen) return undefined;
  return { kind: 'unknown', constraints: [...(existing?.constraints ?? []), ...constraintsOf(condition)] };
}

function constraintsOf({ op, value }: Condition): Constraint[] {
  const operand = rulesValueOf(value);
  const notNull: Constraint = { operator: '!=', value: null };
  switch (op) {
    case 'LESS_THAN':
      return [{ operator: '<', value: operand }];
    case 'LESS_THAN_OR_EQUAL':
      return [{ operator: '<=', value: operand }];
    case 'GREATER_THAN':
      return [{ operator: '>', value: operand }];
    case 'GREATER_THAN_OR_EQUAL':
      return [{ operator: '>=', value: operand }];
    case 'NOT_EQUAL':
      return [notNull, { operator: '!=', value: operand }];
    case 'NOT_IN':
      return [
        notNull,
        ...(Array.isArray(operand) ? operand : []).map((value): Constraint => ({ operator: '!=', value })),
      ];
    case 'ARRAY_CONTAINS':
      return [notNull, { operator: 'contains', value: operand }];
    case 'EQUAL':
      return [];
  }
}
