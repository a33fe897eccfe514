/** Compiles a structured query: where it looks, what matches, in which order, from where to where. */

import { type Alternative, alternativesOf } from './disjunctions.ts';
import { fieldPathOf, getField, NAME_FIELD, parseFieldPath, withField } from './field-path.ts';
import { compileFilter, valueAt } from './filter.ts';
import type { Cursor, Fields, Order, StructuredQuery } from './messages.ts';
import { compareValues } from './order.ts';
import { checkCollectionId, compareNames, parseParent } from './path.ts';
import { isInScope, type Scope } from './scope.ts';
import { invalidArgument, StatusError } from './status.ts';
import type { StoredDocument } from './stored-document.ts';

export type CompiledQuery = {
  scope: Scope;
  /** The filter as alternatives; none when nothing can match. */
  alternatives: Alternative[];
  /** What the results are sorted by; the last key is the document's name. */
  sortKeys: readonly SortKey[];
  startAt: Cursor | undefined;
  endAt: Cursor | undefined;
  offset: number;
  /** Infinite where the query has none. */
  limit: number;
  /** Whether a document is among the results before offset and limit. */
  matches(document: StoredDocument): boolean;
  compare(left: StoredDocument, right: StoredDocument): number;
  /** With an offset or a limit a change to one document can bring in or push out another. */
  isWindowed: boolean;
  /** The results among the documents of the scope: filtered, sorted, windowed; not projected. */
  run(documents: Iterable<StoredDocument>): StoredDocument[];
  /** Only the selected fields. */
  project(document: StoredDocument): StoredDocument;
};

/** One order of a query: by a field, up (1) or down (-1). */
export type SortKey = { fieldPath: string; sign: 1 | -1 };

/** @throws StatusError INVALID_ARGUMENT for queries that Firestore refuses, UNIMPLEMENTED for vector search. */
export function compileQuery(parent: string, query: StructuredQuery): CompiledQuery {
  if (query.findNearest !== undefined) {
    throw new StatusError('UNIMPLEMENTED', 'Vector search (find_nearest) is not supported by this server.');
  }
  const scope = scopeOf(parent, query);
  const filter = compileFilter(query.where);
  const sortKeys = sortKeysOf(query.orderBy ?? [], filter.inequalityFields);
  if (isKindless(scope)) checkKindless(query, filter.fields);
  const afterStart = query.startAt === undefined ? () => true : boundary(query.startAt, sortKeys, 'start');
  const beforeEnd = query.endAt === undefined ? () => true : boundary(query.endAt, sortKeys, 'end');
  const offset = query.offset ?? 0;
  if (offset < 0) throw invalidArgument(`The query's offset is ${offset}: expected zero or more.`);
  const limit = query.limit === undefined ? Number.POSITIVE_INFINITY : (query.limit.value ?? 0);
  if (limit < 0) throw invalidArgument(`The query's limit is ${limit}: expected zero or more.`);

  function matches(document: StoredDocument): boolean {
    return (
      isInScope(scope, document.name) &&
      filter.matches(document) &&
      // A document without a field that the query sorts by is in no index for it.
      sortKeys.every(({ fieldPath }) => valueAt(document, fieldPath) !== undefined) &&
      afterStart(document) &&
      beforeEnd(document)
    );
  }

  function compare(left: StoredDocument, right: StoredDocument): number {
    for (const { fieldPath, sign } of sortKeys) {
      const order =
        fieldPath === NAME_FIELD
          ? compareNames(left.name, right.name)
          : compareValues(valueAt(left, fieldPath)!, valueAt(right, fieldPath)!);
      if (order !== 0) return order * sign;
    }
    return 0;
  }

  return {
    scope,
    alternatives: alternativesOf(query.where),
    sortKeys,
    startAt: query.startAt,
    endAt: query.endAt,
    offset,
    limit,
    matches,
    compare,
    isWindowed: offset > 0 || query.limit !== undefined,
    run(documents) {
      const results: StoredDocument[] = [];
      for (const document of documents) if (matches(document)) results.push(document);
      results.sort(compare);
      return offset === 0 && limit >= results.length ? results : results.slice(offset, offset + limit);
    },
    project: projection(query),
  };
}

function scopeOf(parent: string, { from = [] }: StructuredQuery): Scope {
  parseParent(parent);
  if (from.length > 1) throw invalidArgument(`The query is from ${from.length} collections: expected one.`);
  const { collectionId = '', allDescendants = false } = from[0] ?? {};
  if (collectionId !== '') checkCollectionId(collectionId);
  if (!allDescendants) {
    return collectionId === ''
      ? { kind: 'children', parent }
      : { kind: 'collection', path: `${parent}/${collectionId}` };
  }
  return collectionId === '' ? { kind: 'descendants', parent } : { kind: 'group', parent, collectionId };
}

/** Whether the query is about documents of any collection. */
export function isKindless({ kind }: Scope): boolean {
  return kind === 'children' || kind === 'descendants';
}

/** Without a collection id there is only the index of names. */
function checkKindless({ orderBy = [] }: StructuredQuery, filtered: ReadonlySet<string>): void {
  const field = [...filtered].find((each) => each !== NAME_FIELD);
  if (field !== undefined) throw invalidArgument(`kind is required for filter: ${field}`);
  const isByName = orderBy.every(
    ({ field: by, direction }) => by?.fieldPath === NAME_FIELD && direction !== 'DESCENDING',
  );
  if (!isByName) throw invalidArgument('kind is required for all orders except __key__ ascending');
}

/** Fields with inequalities sort too, by name, in the direction of the last order given; the document's name comes last. */
function sortKeysOf(orders: Order[], inequalityFields: ReadonlySet<string>): SortKey[] {
  const keys: SortKey[] = orders.map(({ field, direction }) => {
    return { fieldPath: fieldPathOf(field), sign: direction === 'DESCENDING' ? -1 : 1 };
  });
  const paths = keys.map(({ fieldPath }) => fieldPath);
  const repeated = paths.find((fieldPath, index) => paths.indexOf(fieldPath) !== index);
  if (repeated !== undefined)
    throw invalidArgument(`order by clause cannot contain duplicate fields ${repeated}`);
  if (paths.slice(0, -1).includes(NAME_FIELD)) {
    throw invalidArgument('order by clause cannot contain more fields after the key');
  }
  const sign = keys.at(-1)?.sign ?? 1;
  for (const fieldPath of [...inequalityFields, NAME_FIELD].sort(nameFieldLast)) {
    if (!keys.some((key) => key.fieldPath === fieldPath)) keys.push({ fieldPath, sign });
  }
  // The name decides for good: what comes after it can never matter.
  return keys.slice(0, keys.findIndex(({ fieldPath }) => fieldPath === NAME_FIELD) + 1);
}

function nameFieldLast(left: string, right: string): number {
  if (left === NAME_FIELD || right === NAME_FIELD)
    return Number(left === NAME_FIELD) - Number(right === NAME_FIELD);
  return left < right ? -1 : left > right ? 1 : 0;
}

/** A cursor sits just before or just after the position of its values; it may give fewer values than sort keys. */
function boundary(
  cursor: Cursor,
  sortKeys: SortKey[],
  side: 'start' | 'end',
): (document: StoredDocument) => boolean {
  const values = cursor.values ?? [];
  if (values.length > sortKeys.length) {
    throw invalidArgument(
      `Cursor has too many values: ${values.length}, expected at most ${sortKeys.length}, one per order.`,
    );
  }
  for (const [index, value] of values.entries()) {
    if (sortKeys[index]!.fieldPath === NAME_FIELD && !('referenceValue' in value)) {
      throw invalidArgument('Cursor value for __key__ must be a Key');
    }
  }
  const isBefore = cursor.before ?? false;
  return (document) => {
    let order = 0;
    for (let index = 0; index < values.length && order === 0; index++) {
      const { fieldPath, sign } = sortKeys[index]!;
      const value = valueAt(document, fieldPath);
      if (value === undefined) return false;
      order = compareValues(value, values[index]!) * sign;
    }
    if (side === 'start') return isBefore ? order >= 0 : order > 0;
    return isBefore ? order < 0 : order <= 0;
  };
}

function projection({ select }: StructuredQuery): (document: StoredDocument) => StoredDocument {
  const selected = select?.fields ?? [];
  if (selected.length === 0) return (document) => document;
  const fieldPaths = selected.map(fieldPathOf);
  return (document) => ({
    ...document,
    fields: pickFields(document.fields, fieldPaths),
  });
}

/** The fields under the given paths alone. */
export function pickFields(fields: Fields, fieldPaths: readonly string[]): Fields {
  let picked: Fields = {};
  for (const text of fieldPaths) {
    if (text === NAME_FIELD) continue;
    const path = parseFieldPath(text);
    const value = getField(fields, path);
    if (value !== undefined) picked = withField(picked, path, value);
  }
  return picked;
}
