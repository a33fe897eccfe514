/** firestore.indexes.json: which composite indexes a database has, and which fields are indexed otherwise than usual. */
import { LocalFirebaseError } from '../../errors.ts';
import { formatFieldPath, NAME_FIELD, parseFieldPath } from '../field-path.ts';

type QueryScope = 'COLLECTION' | 'COLLECTION_GROUP';

/** The file's contents, as `firebase deploy` reads it. */
export type IndexesFile = {
  indexes?: {
    collectionGroup: string;
    queryScope?: QueryScope;
    fields: {
      fieldPath: string;
      order?: 'ASCENDING' | 'DESCENDING';
      arrayConfig?: 'CONTAINS';
      vectorConfig?: object;
    }[];
  }[];
  fieldOverrides?: {
    collectionGroup: string;
    fieldPath: string;
    ttl?: boolean;
    indexes?: {
      queryScope?: QueryScope;
      order?: 'ASCENDING' | 'DESCENDING';
      arrayConfig?: 'CONTAINS';
    }[];
  }[];
};

/** How a part of an index is kept, in the words of definition.ts. */
export type PartKind = 'ascending' | 'descending' | 'contains';

type CompositeIndex = {
  scope: 'collection' | 'group';
  collectionId: string;
  /** Without the document's name. */
  fields: { fieldPath: string; kind: PartKind }[];
  nameKind: 'ascending' | 'descending';
};

/** The indexes that a database has. */
export type DeclaredIndexes = {
  composites: readonly CompositeIndex[];
  /** Whether one field alone is indexed so. */
  hasSingle(scope: 'collection' | 'group', collectionId: string, fieldPath: string, kind: PartKind): boolean;
};

/**
 * Reads the parsed file.
 *
 * @throws LocalFirebaseError `invalid_configuration` with the place of what is wrong.
 */
export function declaredIndexes(file: IndexesFile): DeclaredIndexes {
  const composites = listOf(file.indexes, 'indexes').map((index, position) => {
    const place = `indexes[${position}]`;
    const fields = listOf(index.fields, `${place}.fields`)
      .filter((field) => field.vectorConfig === undefined)
      .map((field, at) => ({
        fieldPath: canonicalPath(field.fieldPath, `${place}.fields[${at}].fieldPath`),
        kind: kindOf(field, `${place}.fields[${at}]`),
      }));
    const last = fields.at(-1);
    const named = last?.fieldPath === NAME_FIELD ? last : undefined;
    const others = named === undefined ? fields : fields.slice(0, -1);
    const lastOrder = (named ?? others.findLast(({ kind }) => kind !== 'contains'))?.kind;
    return {
      scope: scopeOf(index.queryScope, place),
      collectionId: textOf(index.collectionGroup, `${place}.collectionGroup`),
      fields: others,
      nameKind: lastOrder === 'descending' ? ('descending' as const) : ('ascending' as const),
    };
  });
  const overrides = new Map<string, Set<string>>();
  for (const [position, override] of listOf(file.fieldOverrides, 'fieldOverrides').entries()) {
    const place = `fieldOverrides[${position}]`;
    const collectionId = textOf(override.collectionGroup, `${place}.collectionGroup`);
    const path = override.fieldPath === '*' ? '*' : canonicalPath(override.fieldPath, `${place}.fieldPath`);
    const kinds = listOf(override.indexes, `${place}.indexes`).map(
      (index, at) =>
        `${scopeOf(index.queryScope, `${place}.indexes[${at}]`)} ${kindOf(index, `${place}.indexes[${at}]`)}`,
    );
    // A ttl alone says nothing about indexes.
    if (override.indexes !== undefined) overrides.set(`${collectionId}/${path}`, new Set(kinds));
  }
  return {
    composites,
    hasSingle(scope, collectionId, fieldPath, kind) {
      const override = overrideOf(overrides, collectionId, fieldPath);
      return override === undefined ? scope === 'collection' : override.has(`${scope} ${kind}`);
    },
  };
}

/** The field's own override, else that of the map it lies in, else that of every field of the collection. */
function overrideOf(
  overrides: ReadonlyMap<string, Set<string>>,
  collectionId: string,
  fieldPath: string,
): Set<string> | undefined {
  const segments = parseFieldPath(fieldPath);
  for (let length = segments.length; length > 0; length--) {
    const found = overrides.get(`${collectionId}/${formatFieldPath(segments.slice(0, length))}`);
    if (found !== undefined) return found;
  }
  return overrides.get(`${collectionId}/*`);
}

function kindOf(part: { order?: string; arrayConfig?: string }, place: string): PartKind {
  if (part.arrayConfig === 'CONTAINS') return 'contains';
  if (part.order === 'ASCENDING') return 'ascending';
  if (part.order === 'DESCENDING') return 'descending';
  throw invalid(place, 'order ASCENDING or DESCENDING, or arrayConfig CONTAINS');
}

function scopeOf(queryScope: unknown, place: string): 'collection' | 'group' {
  if (queryScope === undefined || queryScope === 'COLLECTION') return 'collection';
  if (queryScope === 'COLLECTION_GROUP') return 'group';
  throw invalid(`${place}.queryScope`, 'COLLECTION or COLLECTION_GROUP');
}

function canonicalPath(path: unknown, place: string): string {
  const text = textOf(path, place);
  try {
    return text === NAME_FIELD ? text : formatFieldPath(parseFieldPath(text));
  } catch (cause) {
    throw invalid(place, `a field path, and "${text}" is none`, { cause });
  }
}

function textOf(value: unknown, place: string): string {
  if (typeof value === 'string' && value !== '') return value;
  throw invalid(place, 'a text');
}

function listOf<Item>(value: Item[] | undefined, place: string): Item[] {
  if (value === undefined || Array.isArray(value)) return value ?? [];
  throw invalid(place, 'a list');
}

function invalid(place: string, expected: string, options?: { cause?: unknown }): LocalFirebaseError {
  const message = `firestore.indexes.json: ${place}: expected ${expected}.`;
  return new LocalFirebaseError('invalid_configuration', message, options);
}
