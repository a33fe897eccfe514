/** Queries that the cloud serves and refuses, by https://firebase.google.com/docs/firestore/query-data/index-overview */
import { describe, expect, test } from 'vitest';
import type { Filter, StructuredQuery } from '../messages.ts';
import { compileQuery } from '../query.ts';
import type { StatusError } from '../status.ts';
import type { IndexesFile } from './indexes-file.ts';
import { createIndexDemand } from './requirements.ts';

const root = 'projects/p/databases/(default)/documents';
const one = { integerValue: '1' };

const filter = (fieldPath: string, op: string, value: object = one) =>
  ({ fieldFilter: { field: { fieldPath }, op, value } }) as Filter;
const and = (...filters: Filter[]): Filter => ({ compositeFilter: { op: 'AND', filters } });
const or = (...filters: Filter[]): Filter => ({ compositeFilter: { op: 'OR', filters } });
const by = (...fields: string[]): StructuredQuery => ({
  orderBy: fields.map((field) => ({
    field: { fieldPath: field.replace('-', '') },
    direction: field.startsWith('-') ? 'DESCENDING' : 'ASCENDING',
  })),
});

function refusalOf(query: StructuredQuery, file: IndexesFile = {}, isGroup = false): string | undefined {
  const from = [{ collectionId: 'cities', allDescendants: isGroup }];
  try {
    createIndexDemand(file)(compileQuery(root, { from, ...query }));
    return undefined;
  } catch (error) {
    expect((error as StatusError).status).toBe('FAILED_PRECONDITION');
    return (error as StatusError).message;
  }
}

/** The refusal names an entry; with the entry added the same query is served. */
function entryFor(query: StructuredQuery, isGroup = false): object {
  const message = refusalOf(query, {}, isGroup);
  expect(message).toContain('requires a');
  const [, list = '', json = ''] =
    /Add this to "(\w+)" of firestore.indexes.json: (.*)$/.exec(message!) ?? [];
  const entry = JSON.parse(json) as object;
  expect(refusalOf(query, { [list]: [entry] }, isGroup)).toBeUndefined();
  return entry;
}

describe('indexes of one field, which every database has', () => {
  test.each<[string, StructuredQuery]>([
    ['no filter', {}],
    ['equality', { where: filter('state', 'EQUAL') }],
    ['a range', { where: and(filter('population', 'GREATER_THAN'), filter('population', 'LESS_THAN')) }],
    ['equalities together', { where: and(filter('state', 'EQUAL'), filter('name', 'EQUAL')) }],
    [
      'equalities with array-contains',
      { where: and(filter('state', 'EQUAL'), filter('regions', 'ARRAY_CONTAINS')) },
    ],
    ['in', { where: filter('state', 'IN', { arrayValue: { values: [one, one] } }) }],
    ['or of equalities', { where: or(filter('state', 'EQUAL'), filter('name', 'EQUAL')) }],
    ['one order', by('-population')],
    ['an order with its range', { where: filter('population', 'GREATER_THAN'), ...by('-population') }],
    ['an order by what is equal', { where: filter('state', 'EQUAL'), ...by('state') }],
    ['equality with an order by name', { where: filter('state', 'EQUAL'), ...by('-__name__') }],
    [
      'a range of names',
      { where: filter('__name__', 'GREATER_THAN', { referenceValue: `${root}/cities/a` }) },
    ],
  ])('serve %s', (_name, query) => {
    expect(refusalOf(query)).toBeUndefined();
  });
});

describe('composite indexes', () => {
  test('are asked for with the entry to add', () => {
    expect(entryFor({ where: filter('state', 'EQUAL'), ...by('-population') })).toEqual({
      collectionGroup: 'cities',
      queryScope: 'COLLECTION',
      fields: [
        { fieldPath: 'state', order: 'ASCENDING' },
        { fieldPath: 'population', order: 'DESCENDING' },
      ],
    });
    expect(
      entryFor({ where: and(filter('regions', 'ARRAY_CONTAINS'), filter('population', 'LESS_THAN')) }),
    ).toEqual({
      collectionGroup: 'cities',
      queryScope: 'COLLECTION',
      fields: [
        { fieldPath: 'regions', arrayConfig: 'CONTAINS' },
        { fieldPath: 'population', order: 'ASCENDING' },
      ],
    });
  });

  test.each<[string, StructuredQuery]>([
    ['equality and a range', { where: and(filter('a', 'EQUAL'), filter('b', 'GREATER_THAN')) }],
    ['equality and !=', { where: and(filter('a', 'EQUAL'), filter('b', 'NOT_EQUAL')) }],
    ['two orders', by('a', '-b')],
    ['two inequalities', { where: and(filter('a', 'LESS_THAN'), filter('b', 'GREATER_THAN')) }],
    ['an order against the name', by('a', '-__name__')],
    ['or, with an order', { where: or(filter('a', 'EQUAL'), filter('b', 'GREATER_THAN')), ...by('b') }],
  ])('are needed for %s', (_name, query) => {
    entryFor(query);
  });

  test('are merged when they share the order', () => {
    const index = (equal: string): NonNullable<IndexesFile['indexes']>[number] => ({
      collectionGroup: 'cities',
      fields: [
        { fieldPath: equal, order: 'DESCENDING' },
        { fieldPath: 'n', order: 'ASCENDING' },
      ],
    });
    const query = { where: and(filter('a', 'EQUAL'), filter('b', 'EQUAL')), ...by('n') };
    expect(refusalOf(query, { indexes: [index('a'), index('b')] })).toBeUndefined();
    expect(refusalOf(query, { indexes: [index('a')] })).toContain('requires an index');
    const reversed = { where: and(filter('a', 'EQUAL'), filter('b', 'EQUAL')), ...by('-n') };
    expect(refusalOf(reversed, { indexes: [index('a'), index('b')] })).toContain('requires an index');
  });
});

test('collection groups have no index of one field until an override gives them one', () => {
  expect(refusalOf({}, {}, true)).toBeUndefined();
  expect(refusalOf({ where: filter('state', 'EQUAL') }, {}, true)).toContain(
    'The query requires a COLLECTION_GROUP_ASC index for collection cities and field state.',
  );
  expect(entryFor({ where: filter('state', 'EQUAL') }, true)).toMatchObject({ fieldPath: 'state' });
  expect(entryFor(by('-n'), true)).toMatchObject({ collectionGroup: 'cities' });
  expect(entryFor({ where: filter('a', 'EQUAL'), ...by('n') }, true)).toMatchObject({
    queryScope: 'COLLECTION_GROUP',
  });
});

test('an exempted field has no index, nor have the fields in it, unless they have an override of their own', () => {
  const exempt = (fieldPath: string, indexes: object[] = []) => ({
    collectionGroup: 'cities',
    fieldPath,
    indexes,
  });
  const file = {
    fieldOverrides: [exempt('m'), exempt('m.kept', [{ order: 'ASCENDING', queryScope: 'COLLECTION' }])],
  } as IndexesFile;
  expect(refusalOf(by('m.x'), file)).toContain('COLLECTION_ASC index for collection cities and field m.x');
  expect(refusalOf(by('m.kept'), file)).toBeUndefined();
  expect(refusalOf(by('other'), file)).toBeUndefined();
  expect(refusalOf(by('other'), { fieldOverrides: [exempt('*')] } as IndexesFile)).toBeDefined();
});

test('without a file nothing is demanded, and a file that means nothing is refused', () => {
  const demand = createIndexDemand(undefined);
  expect(() => demand(compileQuery(root, { from: [{ collectionId: 'c' }], ...by('a', '-b') }))).not.toThrow();
  const broken = [
    { indexes: [{ collectionGroup: 'c', fields: [{ fieldPath: 'a' }] }] },
    { indexes: [{ fields: [] }] },
    { fieldOverrides: {} },
    { indexes: [{ collectionGroup: 'c', queryScope: 'ALL', fields: [] }] },
  ];
  for (const file of broken) {
    expect(() => createIndexDemand(file as unknown as IndexesFile)).toThrow(
      /firestore\.indexes\.json: .*expected/,
    );
  }
});
