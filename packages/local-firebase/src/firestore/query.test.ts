/** The query engine against a filter written the plain way, and the plan that SQLite makes of its scans. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import Database from 'libsql';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createCollectionNames } from './collection-names.ts';
import { createDocumentCache } from './document-cache.ts';
import { createEngine, type Engine } from './engine.ts';
import type { FieldOperator, Filter, StructuredQuery, Value } from './messages.ts';
import { compileQuery } from './query.ts';
import { openStore, type Store } from './store.ts';
import type { StoredDocument } from './stored-document.ts';

const root = 'projects/p/databases/(default)/documents';

let folder: string;
let store: Store;
let engine: Engine;

/** Small integers, text and null under two fields, each of which may be missing. */
type Plain = { id: string; n?: number | null; s?: string };
const people: Plain[] = [];

const toValue = (plain: number | string | null): Value =>
  plain === null
    ? { nullValue: 'NULL_VALUE' }
    : typeof plain === 'number'
      ? { integerValue: String(plain) }
      : { stringValue: plain };

const from = [{ collectionId: 'a' }];
const toList = (...plain: number[]): Value => ({ arrayValue: { values: plain.map(toValue) } });
const filterOn = (fieldPath: string, op: FieldOperator, value: Value): Filter => ({
  fieldFilter: { field: { fieldPath }, op, value },
});
const both = (...filters: Filter[]): Filter => ({ compositeFilter: { op: 'AND', filters } });

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'query-'));
  store = openStore(join(folder, 'firestore.db'));
  engine = createEngine(store, Date.now);
  let id = 0;
  for (const n of [0, 1, 2, 3, null, undefined]) {
    for (const s of ['a', 'b', undefined]) {
      people.push({
        id: `p${String(id++).padStart(2, '0')}`,
        ...(n === undefined ? {} : { n }),
        ...(s === undefined ? {} : { s }),
      });
    }
  }
  await engine.commit(
    people.flatMap(({ id: name, ...plain }) => {
      const fields = Object.fromEntries(Object.entries(plain).map(([key, part]) => [key, toValue(part)]));
      const update = { name: `${root}/people/${name}`, fields };
      // Neighbours that a scan of one collection must not meet.
      return [
        { update },
        { update: { ...update, name: `${root}/people-b/${name}` } },
        { update: { ...update, name: `${root}/people/x/people/${name}` } },
      ];
    }),
  );
});
afterAll(() => {
  store.close();
  rmSync(folder, { recursive: true });
});

const run = (query: StructuredQuery, parent = root): StoredDocument[] =>
  engine.query(compileQuery(parent, query));
const idsOf = (documents: StoredDocument[]) =>
  documents.map(({ name }) => name.slice(name.lastIndexOf('/') + 1));

type Operator =
  | 'EQUAL'
  | 'NOT_EQUAL'
  | 'LESS_THAN'
  | 'LESS_THAN_OR_EQUAL'
  | 'GREATER_THAN'
  | 'GREATER_THAN_OR_EQUAL';
const compareTo: Record<Operator, (a: number | string, b: number | string) => boolean> = {
  EQUAL: (a, b) => a === b,
  NOT_EQUAL: (a, b) => a !== b,
  LESS_THAN: (a, b) => a < b,
  LESS_THAN_OR_EQUAL: (a, b) => a <= b,
  GREATER_THAN: (a, b) => a > b,
  GREATER_THAN_OR_EQUAL: (a, b) => a >= b,
};

type Condition = { field: 'n' | 's'; op: Operator; operand: number | string };
const condition: fc.Arbitrary<Condition> = fc.record({
  field: fc.constantFrom('n', 's'),
  op: fc.constantFrom<Operator>(
    'EQUAL',
    'LESS_THAN',
    'LESS_THAN_OR_EQUAL',
    'GREATER_THAN',
    'GREATER_THAN_OR_EQUAL',
  ),
  operand: fc.oneof(fc.integer({ min: 0, max: 3 }), fc.constantFrom('a', 'b')),
});

const holds = (person: Plain, { field, op, operand }: Condition): boolean => {
  const plain = person[field];
  if (plain === undefined || plain === null) return false;
  if (typeof plain !== typeof operand) return op === 'NOT_EQUAL';
  return compareTo[op](plain, operand);
};
const toFilter = ({ field, op, operand }: Condition): Filter => ({
  fieldFilter: { field: { fieldPath: field }, op, value: toValue(operand) },
});
const composite = (op: 'AND' | 'OR', filters: Filter[]): Filter => ({ compositeFilter: { op, filters } });

describe('queries', () => {
  test('find what a plain filter finds, for any ands of ors, order, direction, offset and limit', () => {
    const clauses = fc.array(fc.array(condition, { minLength: 1, maxLength: 2 }), { maxLength: 2 });
    const direction = fc.constantFrom<'ASCENDING' | 'DESCENDING'>('ASCENDING', 'DESCENDING');
    fc.assert(
      fc.property(clauses, direction, fc.nat(4), fc.option(fc.nat(6)), (ands, chosen, offset, limit) => {
        const sortFields = [
          ...new Set(
            ands
              .flat()
              .filter(({ op }) => op !== 'EQUAL')
              .map(({ field }) => field),
          ),
        ].sort();
        const sign = chosen === 'DESCENDING' ? -1 : 1;
        const query: StructuredQuery = {
          from: [{ collectionId: 'people' }],
          // The order given last sets the direction of the implied ones.
          orderBy: [{ field: { fieldPath: sortFields[0] ?? '__name__' }, direction: chosen }],
          offset,
          ...(limit === null ? {} : { limit: { value: limit } }),
          ...(ands.length === 0
            ? {}
            : {
                where: composite(
                  'AND',
                  ands.map((ors) => composite('OR', ors.map(toFilter))),
                ),
              }),
        };
        // Integers and text never meet in one field here, so that the plain comparison is enough.
        const rank = (part: number | string | null | undefined) =>
          part === null ? -1 : (part as number | string);
        const expected = people
          .filter((person) => ands.every((ors) => ors.some((one) => holds(person, one))))
          .filter((person) => sortFields.every((field) => person[field] !== undefined))
          .sort((left, right) => {
            for (const field of sortFields) {
              const [a, b] = [rank(left[field]), rank(right[field])];
              if (a !== b) return (a < b ? -1 : 1) * sign;
            }
            return (left.id < right.id ? -1 : 1) * sign;
          })
          .map(({ id }) => id)
          .slice(offset, limit === null ? undefined : offset + limit);
        expect(idsOf(run(query))).toEqual(expected);
      }),
      { numRuns: 500 },
    );
  });

  test('cursors cut the same list, from both sides, inclusive or not', () => {
    const all = run({ from: [{ collectionId: 'people' }], orderBy: [{ field: { fieldPath: 'n' } }] });
    fc.assert(
      fc.property(
        fc.integer({ min: -1, max: 4 }),
        fc.integer({ min: -1, max: 4 }),
        fc.boolean(),
        fc.boolean(),
        (from, to, includeStart, includeEnd) => {
          const found = run({
            from: [{ collectionId: 'people' }],
            orderBy: [{ field: { fieldPath: 'n' } }],
            startAt: { values: [toValue(from)], before: includeStart },
            endAt: { values: [toValue(to)], before: !includeEnd },
          });
          const expected = all.filter(({ fields }) => {
            const n = fields['n']!;
            if (!('integerValue' in n)) return false;
            const plain = Number(n.integerValue);
            return (includeStart ? plain >= from : plain > from) && (includeEnd ? plain <= to : plain < to);
          });
          expect(idsOf(found)).toEqual(idsOf(expected));
        },
      ),
    );
  });

  test('scopes: one collection, a group at any depth, below a parent, everything below', () => {
    expect(run({ from: [{ collectionId: 'people' }] })).toHaveLength(people.length);
    expect(run({ from: [{ collectionId: 'people', allDescendants: true }] })).toHaveLength(people.length * 2);
    expect(
      run({ from: [{ collectionId: 'people', allDescendants: true }] }, `${root}/people/x`),
    ).toHaveLength(people.length);
    expect(run({ from: [{ allDescendants: true }] })).toHaveLength(people.length * 3);
    expect(run({})).toHaveLength(people.length * 2);
    expect(run({ from: [{ collectionId: 'people' }] }, `${root}/people/x/people/y`)).toHaveLength(0);
  });

  test.each<[string, StructuredQuery]>([
    ['two collections', { from: [{ collectionId: 'a' }, { collectionId: 'b' }] }],
    ['a collection id with a slash', { from: [{ collectionId: 'a/b/c' }] }],
    ['a negative limit', { from: [{ collectionId: 'a' }], limit: { value: -1 } }],
    ['a negative offset', { from: [{ collectionId: 'a' }], offset: -1 }],
    ['a cursor with more values than orders', { startAt: { values: [toValue(1), toValue(2)] } }],
    ['an empty filter', { where: {} }],
    [
      'in without values',
      { where: { fieldFilter: { field: { fieldPath: 'a' }, op: 'IN', value: { arrayValue: {} } } } },
    ],
    ['an order given twice', { orderBy: [{ field: { fieldPath: 'a' } }, { field: { fieldPath: 'a' } }] }],
    [
      'an order after the name',
      { from, orderBy: [{ field: { fieldPath: '__name__' } }, { field: { fieldPath: 'a' } }] },
    ],
    ['a filter without a collection', { where: filterOn('a', 'EQUAL', toValue(1)) }],
    ['an order without a collection', { orderBy: [{ field: { fieldPath: 'a' } }] }],
    ['a name that is compared with text', { from, where: filterOn('__name__', 'LESS_THAN', toValue('a')) }],
    ['a name that contains', { from, where: filterOn('__name__', 'ARRAY_CONTAINS', toValue('a')) }],
    ['a cursor whose name is text', { from, startAt: { values: [toValue('a')] } }],
    [
      'two negations',
      { from, where: both(filterOn('a', 'NOT_EQUAL', toValue(1)), filterOn('b', 'NOT_EQUAL', toValue(1))) },
    ],
    [
      'not-in beside in',
      { from, where: both(filterOn('a', 'NOT_IN', toList(1)), filterOn('b', 'IN', toList(1))) },
    ],
    [
      'array-contains twice in one alternative',
      {
        from,
        where: both(
          filterOn('a', 'ARRAY_CONTAINS', toValue(1)),
          filterOn('b', 'ARRAY_CONTAINS_ANY', toList(1)),
        ),
      },
    ],
    [
      '31 values of in',
      { from, where: filterOn('a', 'IN', toList(...Array.from({ length: 31 }, (_, n) => n))) },
    ],
    [
      '11 values of not-in',
      { from, where: filterOn('a', 'NOT_IN', toList(...Array.from({ length: 11 }, (_, n) => n))) },
    ],
    [
      'in twice with more than 30 combinations',
      {
        from,
        where: both(
          filterOn('a', 'IN', toList(1, 2, 3, 4, 5, 6)),
          filterOn('b', 'IN', toList(1, 2, 3, 4, 5, 6)),
        ),
      },
    ],
    [
      'inequalities on eleven fields',
      {
        from,
        where: both(...Array.from({ length: 11 }, (_, n) => filterOn(`f${n}`, 'LESS_THAN', toValue(1)))),
      },
    ],
    ['a broken field path', { orderBy: [{ field: { fieldPath: 'a..b' } }] }],
  ])('%s is an invalid argument', (_name, query) => {
    expect(() => compileQuery(root, query)).toThrow(expect.objectContaining({ status: 'INVALID_ARGUMENT' }));
  });
});

test('no scan reads past what it looks for: SQLite plans each over an index', () => {
  const raw = new Database(join(folder, 'firestore.db'));
  const plan = (where: string) =>
    raw
      .prepare(`EXPLAIN QUERY PLAN SELECT name FROM documents WHERE ${where}`)
      .all()
      .map((row) => (row as { detail: string }).detail)
      .join();
  expect(plan("collection = x'61'")).toContain('USING COVERING INDEX documents_by_collection');
  expect(plan("collection_id = x'61' AND name > x'61' AND name < x'62'")).toContain('documents_by_group');
  expect(plan("name > x'61' AND name < x'62'")).toMatch(
    /SEARCH documents USING (COVERING )?INDEX sqlite_autoindex/,
  );
  expect(plan('version > 5')).toContain('documents_by_version');
  raw.close();
});

test('a collection that was queried keeps up with what is written, and with being forgotten', async () => {
  const query: StructuredQuery = { from: [{ collectionId: 'changing' }] };
  const name = (id: string) => `${root}/changing/${id}`;
  expect(run(query)).toEqual([]);
  await engine.commit([
    { update: { name: name('a'), fields: {} } },
    { update: { name: name('b'), fields: {} } },
  ]);
  await engine.commit([{ delete: name('a') }, { update: { name: name('b'), fields: { n: toValue(1) } } }]);
  expect(run(query).map(({ fields }) => fields)).toEqual([{ n: toValue(1) }]);
  // A batch that fails leaves neither names nor documents behind.
  const failing = () =>
    engine.commit([
      { update: { name: name('c'), fields: {} } },
      { update: { name: name('d'), fields: {} }, currentDocument: { exists: true } },
    ]);
  await expect(failing()).rejects.toThrow('No document to update');
  expect(idsOf(run(query))).toEqual(['b']);
});

test('what is kept in memory stays within its bounds and what was dropped is loaded again', () => {
  let loads = 0;
  const load = (collection: string) => {
    loads++;
    return [1, 2, 3].map((n) => `${collection}/${n}`);
  };
  const names = createCollectionNames(load, 3, 6);
  for (const collection of ['a', 'b', 'a', 'c', 'a', 'b'])
    expect(names.of(collection)).toHaveProperty('size', 3);
  // a and b fit; c drops b, which was used longest ago; b is loaded again.
  expect(loads).toBe(4);
  const cache = createDocumentCache(1000);
  const document = (id: number): StoredDocument => ({
    name: String(id),
    fields: {},
    createMicros: 0,
    updateMicros: 0,
    version: 1,
  });
  for (let id = 0; id < 10; id++) {
    cache.set(document(id), 100);
    cache.get('0');
  }
  expect([0, 1, 9].map((id) => cache.get(String(id)) !== undefined)).toEqual([true, false, true]);
});

test('a collection that grows is small no more, until enough of it is gone', () => {
  const stored = new Set(['a/1', 'a/2']);
  const names = createCollectionNames((_collection, count) => [...stored].slice(0, count), 2);
  expect([...names.of('a')!].sort()).toEqual(['a/1', 'a/2']);
  stored.add('a/3');
  names.add('a/3');
  expect(names.of('a')).toBeUndefined();
  stored.delete('a/1');
  names.remove('a/1');
  expect([...names.of('a')!].sort()).toEqual(['a/2', 'a/3']);
});

test('ids below a prefix come without a scan and without doubles, however names interleave', () => {
  const name = fc
    .array(fc.constantFrom('a', 'a-', 'a0', 'a!', 'b', 'a\u0000'), { minLength: 2, maxLength: 4 })
    .filter((ids) => ids.length % 2 === 0);
  let run = 0;
  fc.assert(
    fc.property(fc.array(name, { maxLength: 8 }), (names) => {
      const parent = `${root}/tree/${run++}`;
      if (names.length > 0)
        void engine.commit(
          names.map((ids) => ({ update: { name: `${parent}/${ids.join('/')}`, fields: {} } })),
        );
      const expected = [...new Set(names.map(([first]) => first!))].sort((left, right) =>
        Buffer.compare(Buffer.from(left), Buffer.from(right)),
      );
      expect(store.childIds(parent)).toEqual(expected);
    }),
  );
});
