/** Which indexes a query needs in the cloud, and the refusal of a query that lacks one. */
import type { Alternative } from '../disjunctions.ts';
import { NAME_FIELD } from '../field-path.ts';
import { lastSegmentOf } from '../path.ts';
import type { CompiledQuery, SortKey } from '../query.ts';
import { StatusError } from '../status.ts';
import { type DeclaredIndexes, declaredIndexes, type IndexesFile, type PartKind } from './indexes-file.ts';

/** @throws StatusError FAILED_PRECONDITION with the entry that firestore.indexes.json lacks. */
export type IndexDemand = (query: CompiledQuery) => void;

/**
 * What the file's indexes allow. Without a file nothing is demanded.
 *
 * @throws LocalFirebaseError `invalid_configuration` for a file that means nothing.
 */
export function createIndexDemand(file: IndexesFile | undefined): IndexDemand {
  if (file === undefined) return () => {};
  const declared = declaredIndexes(file);
  return (query) => {
    const { scope } = query;
    // Queries over every collection may only be about names, which need no index.
    if (scope.kind !== 'collection' && scope.kind !== 'group') return;
    const collectionId = scope.kind === 'group' ? scope.collectionId : lastSegmentOf(scope.path);
    for (const alternative of query.alternatives) {
      const need = needOf(scope.kind, collectionId, alternative, query.sortKeys);
      const missing = missingFor(need, declared);
      if (missing !== undefined) throw refusal(missing);
    }
  };
}

type Part = { fieldPath: string; kind: PartKind };

/** Fields that must equal something, in any order, and then the order of the results. */
type Need = {
  scope: 'collection' | 'group';
  collectionId: string;
  equal: Part[];
  sorted: Part[];
  nameKind: 'ascending' | 'descending';
};

function needOf(
  scope: Need['scope'],
  collectionId: string,
  alternative: Alternative,
  sortKeys: readonly SortKey[],
): Need {
  const equal = new Map<string, Part>();
  for (const { fieldPath, op } of alternative) {
    if (fieldPath === NAME_FIELD) continue;
    if (op === 'EQUAL') equal.set(fieldPath, { fieldPath, kind: 'ascending' });
    if (op === 'ARRAY_CONTAINS') equal.set(`${fieldPath} contains`, { fieldPath, kind: 'contains' });
  }
  const kindOf = ({ sign }: SortKey) => (sign === 1 ? 'ascending' : 'descending');
  return {
    scope,
    collectionId,
    equal: [...equal.values()].sort(containsFirst),
    sorted: sortKeys
      .slice(0, -1)
      .filter(({ fieldPath }) => !equal.has(fieldPath))
      .map((key) => ({ fieldPath: key.fieldPath, kind: kindOf(key) })),
    nameKind: kindOf(sortKeys.at(-1)!),
  };
}

/** As the cloud's console proposes them. */
function containsFirst(left: Part, right: Part): number {
  if (left.kind !== right.kind) return left.kind === 'contains' ? -1 : 1;
  return left.fieldPath < right.fieldPath ? -1 : 1;
}

type Missing = { kind: 'single'; need: Need; part: Part } | { kind: 'composite'; need: Need };

/**
 * An index of one field serves a query about this field alone. Indexes whose results come in one order can be merged, so
 * equalities together need no index of their own where each has one, and a composite index may cover only some of them.
 */
function missingFor(need: Need, declared: DeclaredIndexes): Missing | undefined {
  const { scope, collectionId, equal, sorted, nameKind } = need;
  const singly = (part: Part) => declared.hasSingle(scope, collectionId, part.fieldPath, part.kind);
  if (sorted.length === 0) {
    const alone = equal.find((part) => {
      // An equality reads an index of either direction.
      const inverse: Part = { ...part, kind: part.kind === 'ascending' ? 'descending' : part.kind };
      return !singly(part) && !singly(inverse);
    });
    if (alone === undefined || isCovered(need, declared)) return undefined;
    return { kind: 'single', need, part: alone };
  }
  const [first] = sorted;
  if (equal.length === 0 && sorted.length === 1 && first!.kind === nameKind) {
    return singly(first!) ? undefined : { kind: 'single', need, part: first! };
  }
  return isCovered(need, declared) ? undefined : { kind: 'composite', need };
}

/** Whether composite indexes, merged, know every equality and give the order. */
function isCovered(
  { scope, collectionId, equal, sorted, nameKind }: Need,
  declared: DeclaredIndexes,
): boolean {
  const usable = declared.composites.filter((index) => {
    if (index.scope !== scope || index.collectionId !== collectionId) return false;
    if (index.nameKind !== nameKind && (sorted.length > 0 || equal.length === 0)) return false;
    const split = index.fields.length - sorted.length;
    const isOrdered = sorted.every((part, at) => isSame(part, index.fields[split + at]));
    return (
      split >= 0 &&
      isOrdered &&
      index.fields.slice(0, split).every((field) => equal.some((part) => isSameEquality(part, field)))
    );
  });
  if (usable.length === 0) return false;
  return equal.every(
    (part) =>
      usable.some(({ fields }) =>
        fields.slice(0, fields.length - sorted.length).some((field) => isSameEquality(part, field)),
      ) ||
      (sorted.length === 0 && declared.hasSingle(scope, collectionId, part.fieldPath, part.kind)),
  );
}

function isSame(part: Part, other: Part | undefined): boolean {
  return other !== undefined && part.fieldPath === other.fieldPath && part.kind === other.kind;
}

function isSameEquality(part: Part, other: Part): boolean {
  return part.fieldPath === other.fieldPath && (part.kind === 'contains') === (other.kind === 'contains');
}

/** The cloud's sentence; where it links to its console, the entry for the file. */
function refusal(missing: Missing): StatusError {
  const { need } = missing;
  const queryScope = need.scope === 'group' ? 'COLLECTION_GROUP' : 'COLLECTION';
  if (missing.kind === 'composite') {
    const fields = [...need.equal, ...need.sorted].map(partOfFile);
    // The name follows the direction of the last field unless it is said.
    const isNameImplied = need.sorted.at(-1)?.kind === need.nameKind;
    const name = { fieldPath: NAME_FIELD, kind: need.nameKind };
    const entry = {
      collectionGroup: need.collectionId,
      queryScope,
      fields: isNameImplied ? fields : [...fields, partOfFile(name)],
    };
    return failed('The query requires an index.', 'indexes', entry);
  }
  const { part } = missing;
  const word = { ascending: 'ASC', descending: 'DESC', contains: 'CONTAINS' }[part.kind];
  const usual = ['ascending', 'descending', 'contains'] as const;
  const indexes = usual.map((kind) => ({ ...partOfFile({ kind }), queryScope: 'COLLECTION' }));
  const added = { ...partOfFile({ kind: part.kind }), queryScope };
  return failed(
    `The query requires a ${queryScope}_${word} index for collection ${need.collectionId} and field ${part.fieldPath}.`,
    'fieldOverrides',
    {
      collectionGroup: need.collectionId,
      fieldPath: part.fieldPath,
      indexes: need.scope === 'group' ? [...indexes, added] : indexes,
    },
  );
}

function partOfFile<Rest extends object>({ kind, ...rest }: Rest & { kind: PartKind }) {
  return kind === 'contains'
    ? { ...rest, arrayConfig: 'CONTAINS' }
    : { ...rest, order: kind === 'ascending' ? 'ASCENDING' : 'DESCENDING' };
}

function failed(sentence: string, list: string, entry: object): StatusError {
  return new StatusError(
    'FAILED_PRECONDITION',
    `${sentence} Add this to "${list}" of firestore.indexes.json: ${JSON.stringify(entry)}`,
  );
}
