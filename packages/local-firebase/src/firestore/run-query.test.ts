/** Random documents and random queries: what comes over indexes is what a look at every document gives. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Cursor, Fields, Filter, Order, StructuredQuery, Value } from './messages.ts';
import { type CompiledQuery, compileQuery } from './query.ts';
import { countResults, runQuery } from './run-query.ts';
import { openStore, type Store } from './store.ts';
import { checkStore } from './store-check.ts';
import type { StoredDocument } from './stored-document.ts';

const root = 'projects/p/databases/(default)/documents';
const SEED = Number(process.env['FIRESTORE_SEED'] ?? 20_261_122);
const QUERIES = Number(process.env['FIRESTORE_QUERIES'] ?? 1600);
const ROUNDS = 8;

const paths = ['a', 'b', 'm.x', 'm.`y z`', 'list'];
const longText = 'long'.repeat(500);

const scalar: fc.Arbitrary<Value> = fc.oneof(
  { weight: 6, arbitrary: fc.integer({ min: -3, max: 3 }).map((n): Value => ({ integerValue: String(n) })) },
  {
    weight: 2,
    arbitrary: fc
      .constantFrom(-1.5, -0, 0, 1, 2.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53, -(2 ** 63))
      .map((n): Value => ({ doubleValue: n })),
  },
  {
    weight: 1,
    arbitrary: fc
      .constantFrom('9007199254740993', '9223372036854775807', '-9223372036854775808')
      .map((integerValue): Value => ({ integerValue })),
  },
  {
    weight: 3,
    arbitrary: fc
      .constantFrom('', 'a', 'a\0', 'a\0b', 'b', 'z', '\ud83d\ude00', '\uffee')
      .map((stringValue): Value => ({ stringValue })),
  },
  fc.constantFrom<Value>(
    { nullValue: 'NULL_VALUE' },
    { booleanValue: false },
    { booleanValue: true },
    { timestampValue: { seconds: '-5', nanos: 1000 } },
    { timestampValue: { seconds: '7' } },
    { bytesValue: Buffer.from([0, 255]) },
    { bytesValue: Buffer.from([0]) },
    { referenceValue: `${root}/things/__id5__` },
    { referenceValue: `${root}/things/a` },
    { geoPointValue: { latitude: -1, longitude: 3 } },
    { geoPointValue: {} },
  ),
);
const longValue = fc.constantFrom('', 'a', 'b').map((end): Value => ({ stringValue: `${longText}${end}` }));
const arrayOf = (element: fc.Arbitrary<Value>, maxLength = 3) =>
  fc.array(element, { maxLength }).map((values): Value => ({ arrayValue: { values } }));
const vector = fc.array(fc.constantFrom(0, 1, -1.5), { maxLength: 2 }).map(
  (numbers): Value => ({
    mapValue: {
      fields: {
        __type__: { stringValue: '__vector__' },
        value: { arrayValue: { values: numbers.map((doubleValue) => ({ doubleValue })) } },
      },
    },
  }),
);
const mapOf = (value: fc.Arbitrary<Value>) =>
  fc
    .record({ x: value, 'y z': value }, { requiredKeys: [] })
    .map((fields): Value => ({ mapValue: { fields } }));
const value: fc.Arbitrary<Value> = fc.oneof(
  { weight: 12, arbitrary: scalar },
  { weight: 2, arbitrary: arrayOf(scalar) },
  { weight: 1, arbitrary: mapOf(scalar) },
  { weight: 1, arbitrary: vector },
);
const fields = (hasLongValues: boolean): fc.Arbitrary<Fields> =>
  fc.record(
    {
      a: hasLongValues
        ? fc.oneof({ weight: 4, arbitrary: value }, { weight: 1, arbitrary: longValue })
        : value,
      b: value,
      m: mapOf(value),
      list: arrayOf(scalar),
    },
    { requiredKeys: [] },
  );

const COMPARISONS = [
  'EQUAL',
  'EQUAL',
  'NOT_EQUAL',
  'LESS_THAN',
  'LESS_THAN_OR_EQUAL',
  'GREATER_THAN',
  'GREATER_THAN_OR_EQUAL',
  'ARRAY_CONTAINS',
] as const;
const field = fc.constantFrom(...paths).map((fieldPath) => ({ fieldPath }));
const leaf: fc.Arbitrary<Filter> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({ fieldFilter: fc.record({ field, op: fc.constantFrom(...COMPARISONS), value }) }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      fieldFilter: fc.record({
        field,
        op: fc.constantFrom('IN' as const, 'ARRAY_CONTAINS_ANY' as const, 'NOT_IN' as const),
        value: fc.array(scalar, { minLength: 1, maxLength: 3 }).map((values) => ({ arrayValue: { values } })),
      }),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      unaryFilter: fc.record({
        field,
        op: fc.constantFrom(
          'IS_NULL' as const,
          'IS_NOT_NULL' as const,
          'IS_NAN' as const,
          'IS_NOT_NAN' as const,
        ),
      }),
    }),
  },
);
const filter: fc.Arbitrary<Filter | undefined> = fc.oneof(
  { weight: 1, arbitrary: fc.constant(undefined) },
  { weight: 3, arbitrary: leaf },
  {
    weight: 4,
    arbitrary: fc.record({
      compositeFilter: fc.record({
        op: fc.constantFrom('AND' as const, 'OR' as const),
        filters: fc.array(
          fc.oneof(
            { weight: 3, arbitrary: leaf },
            {
              weight: 1,
              arbitrary: fc.record({
                compositeFilter: fc.record({
                  op: fc.constantFrom('AND' as const, 'OR' as const),
                  filters: fc.array(leaf, { minLength: 1, maxLength: 2 }),
                }),
              }),
            },
          ),
          { minLength: 1, maxLength: 3 },
        ),
      }),
    }),
  },
);
const order: fc.Arbitrary<Order> = fc.record({
  field: fc.constantFrom('a', 'a', 'b', 'm.x', '__name__').map((fieldPath) => ({ fieldPath })),
  direction: fc.constantFrom('ASCENDING' as const, 'DESCENDING' as const),
});
const cursor: fc.Arbitrary<Cursor> = fc.record({
  values: fc.array(value, { minLength: 1, maxLength: 2 }),
  before: fc.boolean(),
});
const rarely = <Part>(part: fc.Arbitrary<Part>) => fc.option(part, { nil: undefined, freq: 1 });
const query = fc.record(
  {
    from: fc
      .boolean()
      .map((allDescendants) => [{ collectionId: 'things', ...(allDescendants ? { allDescendants } : {}) }]),
    where: filter,
    orderBy: fc.uniqueArray(order, { maxLength: 2, selector: (each) => each.field?.fieldPath }),
    startAt: rarely(cursor),
    endAt: rarely(cursor),
    offset: rarely(fc.integer({ min: 0, max: 3 })),
    limit: fc.integer({ min: 1, max: 12 }).map((limit) => ({ value: limit })),
  },
  { requiredKeys: ['from'] },
);

describe.each([false, true])('over indexes (values that an index cuts: %s)', (hasLongValues) => {
  const ids = [
    ...Array.from({ length: 24 }, (_, index) => `id${index}`),
    ...['__id7__', '__id-12__', '__id007__', '-', 'é', '\u{1f600}'],
  ];
  const collections = [`${root}/things`, `${root}/owners/x/things`, `${root}/owners-/y/things`];
  const names = collections.flatMap((collection) => ids.map((id) => `${collection}/${id}`));
  const contents = fc.sample(fields(hasLongValues), { numRuns: names.length * ROUNDS, seed: SEED });
  let folder: string;

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'run-query-'));
  });
  afterAll(() => {
    rmSync(folder, { recursive: true });
  });

  test.each(Array.from({ length: ROUNDS }, (_, round) => round))(
    'random queries find the same documents in the same order, and count them (store %i)',
    (round) => {
      const file = join(folder, `${round}.db`);
      const store = openStore(file, { smallDocuments: 4, indexesPerCollectionId: 1000 });
      const documents = new Map<string, StoredDocument>();
      let indexed = 0;
      const watched: Store = {
        ...store,
        ensureIndex(definition) {
          indexed++;
          return store.ensureIndex(definition);
        },
      };

      function commit(changes: Map<string, Fields | undefined>): void {
        const version = store.version() + 1;
        const staged = new Map<string, StoredDocument | undefined>();
        for (const [name, after] of changes) {
          const document = { createMicros: 1, updateMicros: version, version, name, fields: after ?? {} };
          staged.set(name, after === undefined ? undefined : document);
          if (after === undefined) documents.delete(name);
          else documents.set(name, document);
        }
        store.commit(staged, version, version);
      }

      commit(new Map(names.map((name, index) => [name, contents[round * names.length + index]])));
      let tried = 0;
      let refused = 0;
      let withResults = 0;
      fc.assert(
        fc.property(query as fc.Arbitrary<StructuredQuery>, (structured) => {
          tried++;
          // Documents change while indexes exist, so that their upkeep is part of the matter.
          if (tried % 5 === 0) {
            const name = names[(tried * 7) % names.length]!;
            commit(
              new Map([[name, tried % 20 === 0 ? undefined : contents[(tried * 13) % contents.length]]]),
            );
          }
          const compiled = compiledUnlessRefused(structured);
          if (compiled === undefined) {
            refused++;
            return;
          }
          const expected = compiled.run(documents.values()).map(({ name }) => name);
          expect(runQuery(watched, compiled).map(({ name }) => name)).toEqual(expected);
          expect(countResults(watched, compiled)).toBe(expected.length);
          if (expected.length > 0) withResults++;
        }),
        { numRuns: Math.ceil(QUERIES / ROUNDS / 2), seed: SEED + round },
      );
      // The samples must not be idle: most queries are valid, many have results, and most go over an index.
      expect(refused / tried).toBeLessThan(0.3);
      expect(withResults / tried).toBeGreaterThan(0.2);
      expect(indexed / tried).toBeGreaterThan(1);
      store.close();
      expect(checkStore(file)).toEqual([]);
    },
  );
});

function compiledUnlessRefused(structured: StructuredQuery): CompiledQuery | undefined {
  try {
    return compileQuery(root, structured);
  } catch (error) {
    expect(error).toMatchObject({ status: 'INVALID_ARGUMENT' });
    return undefined;
  }
}
