/** What an index is, and which entries a document has in it. */
import { NAME_FIELD } from '../field-path.ts';
import { valueAt } from '../filter.ts';
import type { Value } from '../messages.ts';
import { databaseOf, parentOf } from '../path.ts';
import type { StoredDocument } from '../stored-document.ts';
import { encodeSegments, encodeValue, inverted, MAX_INDEXED_VALUE_BYTES } from './encoding.ts';

/** One part of an index: the field's value, up or down, or each element of the array that it holds. */
export type IndexedField = { fieldPath: string; kind: 'ascending' | 'descending' | 'contains' };

/**
 * An index over the documents of every collection with one id. A `collection` index serves queries of one collection, a
 * `group` index those of a collection group. The document's name comes last in every index.
 */
export type IndexDefinition = {
  scope: 'collection' | 'group';
  collectionId: string;
  fields: readonly IndexedField[];
  nameKind: 'ascending' | 'descending';
};

/** Equal for equal definitions. */
export function definitionKeyOf({ scope, collectionId, fields, nameKind }: IndexDefinition): string {
  return JSON.stringify([
    scope,
    collectionId,
    nameKind,
    ...fields.map(({ fieldPath, kind }) => [fieldPath, kind]),
  ]);
}

export function definitionOfKey(key: string): IndexDefinition {
  const [scope, collectionId, nameKind, ...fields] = JSON.parse(key) as [
    IndexDefinition['scope'],
    string,
    IndexDefinition['nameKind'],
    ...[string, IndexedField['kind']][],
  ];
  const indexed = fields.map(([fieldPath, kind]) => ({ fieldPath, kind }));
  return { scope, collectionId, nameKind, fields: indexed };
}

/** Entries of one index never mix documents of two places: a collection, or a whole database for a group. */
export function placeOf({ scope }: IndexDefinition, documentName: string): string {
  return scope === 'collection' ? parentOf(documentName) : databaseOf(documentName);
}

/** Bytes of one indexed value, and whether they are all of it. */
export function encodePart(
  value: Value,
  kind: 'ascending' | 'descending',
): { bytes: Buffer; isCut: boolean } {
  const whole = encodeValue(value);
  const isCut = whole.length > MAX_INDEXED_VALUE_BYTES;
  const bytes = isCut ? whole.subarray(0, MAX_INDEXED_VALUE_BYTES) : whole;
  return { bytes: kind === 'ascending' ? bytes : inverted(bytes), isCut };
}

/** Bytes of the name: within its place that is the id in a collection and the whole path in a group. */
export function encodeNamePart(
  { scope, nameKind }: Pick<IndexDefinition, 'scope' | 'nameKind'>,
  name: string,
): Buffer {
  const segments = name.split('/');
  const bytes = encodeSegments(scope === 'collection' ? segments.slice(-1) : segments.slice(5));
  return nameKind === 'ascending' ? bytes : inverted(bytes);
}

/** The document's keys in the index, without the place; none when it lacks one of the fields. */
export function entryKeysOf(
  definition: IndexDefinition,
  document: StoredDocument,
): { keys: Buffer[]; isCut: boolean } {
  let keys: Buffer[] = [Buffer.alloc(0)];
  let isCut = false;
  for (const { fieldPath, kind } of definition.fields) {
    const value = fieldPath === NAME_FIELD ? undefined : valueAt(document, fieldPath);
    if (value === undefined) return { keys: [], isCut: false };
    if (kind === 'contains') {
      const parts = distinct(elementsOf(value).map((element) => encodePart(element, 'ascending')));
      isCut ||= parts.some((part) => part.isCut);
      keys = keys.flatMap((key) => parts.map(({ bytes }) => Buffer.concat([key, bytes])));
    } else {
      const part = encodePart(value, kind);
      isCut ||= part.isCut;
      keys = keys.map((key) => Buffer.concat([key, part.bytes]));
    }
  }
  const name = encodeNamePart(definition, document.name);
  return { keys: keys.map((key) => Buffer.concat([key, name])), isCut };
}

function elementsOf(value: Value): Value[] {
  return 'arrayValue' in value ? (value.arrayValue.values ?? []) : [];
}

function distinct<Part extends { bytes: Buffer }>(parts: Part[]): Part[] {
  return [...new Map(parts.map((part) => [part.bytes.toString('latin1'), part])).values()];
}
