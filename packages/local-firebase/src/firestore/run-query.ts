/** Runs a query: over indexes where a collection is large, and over the documents in memory where it is small. */
import type { Alternative } from './disjunctions.ts';
import { NAME_FIELD } from './field-path.ts';
import type { Index } from './indexes/index-table.ts';
import { type IndexScan, planScan, type QueryShape } from './indexes/plan.ts';
import { type CompiledQuery, isKindless } from './query.ts';
import type { Store } from './store.ts';
import type { StoredDocument } from './stored-document.ts';

type Source = { kind: 'names'; names: string[] } | { kind: 'index'; index: Index; scan: IndexScan };

/** The results, not projected. */
export function runQuery(store: Store, query: CompiledQuery): StoredDocument[] {
  if (isKindless(query.scope)) return runByNames(store, query);
  const sources = sourcesOf(store, query);
  if (sources === undefined) return query.run(store.scan(query.scope));
  const ordered = sources.map((source) => orderedResults(store, query, source));
  const merged = ordered.length === 1 ? ordered[0]! : merge(ordered, query.compare);
  const results: StoredDocument[] = [];
  const end = query.offset + query.limit;
  let position = 0;
  if (end === 0) return results;
  for (const document of merged) {
    if (position++ >= query.offset) results.push(document);
    if (position >= end) break;
  }
  return results;
}

/** Queries without a collection id are about names alone: only the results are read whole. */
function runByNames(store: Store, query: CompiledQuery): StoredDocument[] {
  const named = store.scanNames(query.scope).map((name) => ({ ...NAMELESS, name }));
  return query.run(named).map(({ name }) => store.read(name)!);
}

const NAMELESS: StoredDocument = { name: '', fields: {}, createMicros: 0, updateMicros: 0, version: 0 };

/** How many results the query has, read from an index alone where one tells. */
export function countResults(store: Store, query: CompiledQuery): number {
  const count = countWithoutDocuments(store, query);
  if (count === undefined) return runQuery(store, query).length;
  return Math.min(Math.max(0, count - query.offset), query.limit);
}

/** Before offset and limit; undefined when the documents must be looked at. */
function countWithoutDocuments(store: Store, query: CompiledQuery): number | undefined {
  const { scope, alternatives, sortKeys, startAt, endAt } = query;
  const isFiltered = alternatives.length !== 1 || alternatives[0]!.length > 0 || sortKeys.length > 1;
  if (!isFiltered && startAt === undefined && endAt === undefined) return store.countDocuments(scope);
  const [source, ...others] = sourcesOf(store, query) ?? [];
  if (source?.kind !== 'index' || others.length > 0) return undefined;
  return source.scan.isExact && !source.index.hasCutValues
    ? store.countIndex(source.index, source.scan)
    : undefined;
}

/** Undefined when scanning the whole scope is better, or the only way. */
function sourcesOf(store: Store, query: CompiledQuery): Source[] | undefined {
  const { scope } = query;
  if ((scope.kind !== 'collection' && scope.kind !== 'group') || store.isSmall(scope)) return undefined;
  const shape: QueryShape = { ...query, scope };
  const sources: Source[] = [];
  const scans: IndexScan[] = [];
  for (const alternative of query.alternatives) {
    const names = namesOf(alternative);
    if (names !== undefined) {
      sources.push({ kind: 'names', names });
      continue;
    }
    const scan = planScan(shape, alternative);
    // Who wants all of a collection gains nothing from an index.
    if (scan !== undefined && !scan.isBounded && query.limit === Number.POSITIVE_INFINITY) return undefined;
    if (scan !== undefined) scans.push(scan);
  }
  for (const scan of scans) {
    const index = store.ensureIndex(scan.definition);
    if (index === undefined) return undefined;
    sources.push({ kind: 'index', index, scan });
  }
  return sources;
}

/** The documents that an alternative names, if it does. */
function namesOf(alternative: Alternative): string[] | undefined {
  const equal = alternative.find(({ fieldPath, op }) => fieldPath === NAME_FIELD && op === 'EQUAL');
  if (equal === undefined) return undefined;
  return 'referenceValue' in equal.value ? [equal.value.referenceValue] : [];
}

function* orderedResults(store: Store, query: CompiledQuery, source: Source): Generator<StoredDocument> {
  if (source.kind === 'names') {
    for (const name of source.names) {
      const document = store.read(name);
      if (document !== undefined && query.matches(document)) yield document;
    }
    return;
  }
  const { index, scan } = source;
  if (!index.hasCutValues) {
    const documents = store.scanIndex(index, scan, query.offset + query.limit);
    for (const document of documents) if (query.matches(document)) yield document;
    return;
  }
  // Cut values hide the order of what they begin: the documents know it.
  const matching = new Map<string, StoredDocument>();
  for (const document of store.scanIndex(index, scan, Number.POSITIVE_INFINITY)) {
    if (query.matches(document)) matching.set(document.name, document);
  }
  yield* [...matching.values()].sort(query.compare);
}

/** Merges ordered results; a document that several alternatives find comes once. */
function* merge(
  ordered: Generator<StoredDocument>[],
  compare: (left: StoredDocument, right: StoredDocument) => number,
): Generator<StoredDocument> {
  const heads: { document: StoredDocument; rest: Generator<StoredDocument> }[] = [];
  for (const rest of ordered) {
    const first = rest.next();
    if (!first.done) heads.push({ document: first.value, rest });
  }
  let lastName: string | undefined;
  while (heads.length > 0) {
    // At most 30 alternatives: a heap would not pay.
    const least = heads.reduce((best, head) => (compare(head.document, best.document) < 0 ? head : best));
    const { document } = least;
    if (document.name !== lastName) yield document;
    lastName = document.name;
    const next = least.rest.next();
    if (next.done) heads.splice(heads.indexOf(least), 1);
    else least.document = next.value;
  }
}
