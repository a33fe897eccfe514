/** How many index entries a document has in the cloud, and the refusal of one that has too many. */
import { formatFieldPath } from '../field-path.ts';
import type { Fields, Value } from '../messages.ts';
import { lastSegmentOf, parentOf } from '../path.ts';
import { invalidArgument } from '../status.ts';
import type { StoredDocument } from '../stored-document.ts';
import { vectorValues } from '../values.ts';
import { entryKeysOf } from './definition.ts';
import { type DeclaredIndexes, declaredIndexes, type IndexesFile } from './indexes-file.ts';

/** https://firebase.google.com/docs/firestore/quotas#indexes */
const MAX_INDEX_ENTRIES = 40_000;
const SCOPES = ['collection', 'group'] as const;

/** @throws StatusError INVALID_ARGUMENT */
export type IndexEntryLimit = (document: StoredDocument) => void;

/**
 * Counts as https://firebase.google.com/docs/firestore/query-data/index-overview says: each field that is no array and no
 * map, in maps too, has two entries (up and down), each array one for every different element, each composite index its own.
 *
 * @throws LocalFirebaseError `invalid_configuration` for a file that means nothing
 */
export function createIndexEntryLimit(file: IndexesFile | undefined): IndexEntryLimit {
  const declared = declaredIndexes(file ?? {});
  // In two scopes, and in every composite index: more than it can be, and known without a look at any field's index.
  const mostEach = 2 * SCOPES.length + declared.composites.length;
  return (document) => {
    if (countValues(document.fields) * mostEach <= MAX_INDEX_ENTRIES) return;
    if (countEntries(document, declared) > MAX_INDEX_ENTRIES)
      throw invalidArgument('too many index entries for entity');
  };
}

/** How many single values there are, those in arrays and maps counted. */
function countValues(fields: Fields): number {
  let count = 0;
  for (const name of Object.keys(fields)) {
    const value = fields[name]!;
    if (isMap(value)) count += countValues(value.mapValue.fields ?? {});
    else if ('arrayValue' in value) count += value.arrayValue.values?.length ?? 0;
    else count += 1;
  }
  return count;
}

function countEntries(document: StoredDocument, declared: DeclaredIndexes): number {
  const collectionId = lastSegmentOf(parentOf(document.name));
  const named = { collectionId, nameKind: 'ascending' } as const;
  let count = 0;
  for (const [fieldPath, value] of indexedFields(document.fields)) {
    const kinds = 'arrayValue' in value ? (['contains'] as const) : (['ascending', 'descending'] as const);
    for (const scope of SCOPES) {
      for (const kind of kinds) {
        if (!declared.hasSingle(scope, collectionId, fieldPath, kind)) continue;
        count += entryKeysOf({ ...named, scope, fields: [{ fieldPath, kind }] }, document).keys.length;
      }
    }
  }
  for (const index of declared.composites) {
    if (index.collectionId === collectionId) count += entryKeysOf(index, document).keys.length;
  }
  return count;
}

/** A vector is kept as a map, and is one value. */
function isMap(value: Value): value is { mapValue: { fields?: Fields } } {
  return 'mapValue' in value && vectorValues(value) === undefined;
}

/** Every field but maps, which are indexed by what they hold. */
function* indexedFields(fields: Fields, within: readonly string[] = []): Generator<[string, Value]> {
  for (const name of Object.keys(fields)) {
    const value = fields[name]!;
    const path = [...within, name];
    if (isMap(value)) yield* indexedFields(value.mapValue.fields ?? {}, path);
    else yield [formatFieldPath(path), value];
  }
}
