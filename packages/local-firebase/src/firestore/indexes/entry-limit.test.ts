/** The cloud's limit of 40,000 index entries a document. */
import { describe, expect, test } from 'vitest';
import type { Fields, Value } from '../messages.ts';
import { createIndexEntryLimit } from './entry-limit.ts';
import type { IndexesFile } from './indexes-file.ts';

const integers = (count: number): Value[] =>
  Array.from({ length: count }, (_, n) => ({ integerValue: String(n) }));
const list = (values: Value[]): Value => ({ arrayValue: { values } });
const manyFields = (count: number): Fields =>
  Object.fromEntries(Array.from({ length: count }, (_, n) => [`f${n}`, { booleanValue: true }]));
const exempt = (fieldPath: string): IndexesFile => ({
  fieldOverrides: [{ collectionGroup: 'c', fieldPath, indexes: [] }],
});

function check(fields: Fields, file?: IndexesFile): void {
  const name = 'projects/p/databases/(default)/documents/c/d';
  createIndexEntryLimit(file)({ name, fields, createMicros: 0, updateMicros: 0, version: 1 });
}

const refused = expect.objectContaining({
  status: 'INVALID_ARGUMENT',
  message: 'too many index entries for entity',
});

describe('just fits', () => {
  test.each<[string, Fields, IndexesFile?]>([
    ['20,000 fields, each up and down', manyFields(20_000)],
    ['40,000 elements of an array', { list: list(integers(40_000)) }],
    ['an element that is there many times', { list: list([...integers(39_999), ...integers(1_000)]) }],
    ['what is exempted', { list: list(integers(60_000)) }, exempt('list')],
    ['what lies in an exempted map', { map: { mapValue: { fields: manyFields(30_000) } } }, exempt('map')],
    [
      'a composite index of another collection',
      { list: list(integers(40_000)) },
      {
        indexes: [{ collectionGroup: 'other', fields: [{ fieldPath: 'list', arrayConfig: 'CONTAINS' }] }],
      },
    ],
  ])('%s', (_name, fields, file) => {
    expect(() => check(fields, file)).not.toThrow();
  });
});

describe('is one too many', () => {
  test.each<[string, Fields, IndexesFile?]>([
    ['20,001 fields', manyFields(20_001)],
    ['the same in a map', { map: { mapValue: { fields: manyFields(20_001) } } }],
    ['40,001 elements of an array', { list: list(integers(40_001)) }],
    [
      'a group index beside the usual one',
      { list: list(integers(20_001)) },
      {
        fieldOverrides: [
          {
            collectionGroup: 'c',
            fieldPath: 'list',
            indexes: [
              { arrayConfig: 'CONTAINS', queryScope: 'COLLECTION' },
              { arrayConfig: 'CONTAINS', queryScope: 'COLLECTION_GROUP' },
            ],
          },
        ],
      },
    ],
    [
      'a composite index over each element',
      { list: list(integers(20_000)), n: { integerValue: '1' } },
      {
        indexes: [
          {
            collectionGroup: 'c',
            fields: [
              { fieldPath: 'list', arrayConfig: 'CONTAINS' },
              { fieldPath: 'n', order: 'ASCENDING' },
            ],
          },
        ],
      },
    ],
  ])('%s', (_name, fields, file) => {
    expect(() => check(fields, file)).toThrow(refused);
  });
});
