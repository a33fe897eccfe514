/** Requests that no SDK sends: whatever is missing or nonsense in them, the answer is a refusal and never an accident. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { silentLogger } from '../logger.ts';
import { createListenSession } from './listen.ts';
import type { ListenRequest } from './messages.ts';
import { messageFromJson, messageToJson } from './protos.ts';
import { answerRest } from './rest.ts';
import { createService, type Service } from './service.ts';
import { StatusError } from './status.ts';
import { openStore, type Store } from './store.ts';

const database = 'projects/p/databases/(default)';
const documents = `${database}/documents`;

let folder: string;
let store: Store;
let service: Service;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'malformed-'));
  store = openStore(join(folder, 'firestore.db'));
  service = createService({ projectId: 'p', store, clock: Date.now, logger: silentLogger });
});
afterAll(() => {
  store.close();
  rmSync(folder, { recursive: true });
});

const maybe = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined });
const list = <T>(arbitrary: fc.Arbitrary<T>) => fc.array(arbitrary, { maxLength: 2 });

const text = fc.constantFrom(
  '',
  'a',
  'b',
  'a.b',
  '`',
  '__name__',
  '__x__',
  documents,
  `${documents}/a`,
  `${documents}/a/b`,
);
const value = fc.constantFrom<object>(
  {},
  { integerValue: '5' },
  { doubleValue: 'NaN' },
  { stringValue: 'x' },
  { mapValue: {} },
  { arrayValue: {} },
  { arrayValue: { values: [{}, { nullValue: null }] } },
  { referenceValue: 'nowhere' },
  { timestampValue: '2020-01-01T00:00:00Z' },
);
const field = maybe(fc.record({ fieldPath: maybe(text) }));

const { filter } = fc.letrec<{ filter: object }>((tie) => ({
  filter: fc.oneof(
    { maxDepth: 3 },
    fc.constant({}),
    fc.record({
      fieldFilter: fc.record({
        field,
        op: maybe(
          fc.constantFrom(
            'EQUAL',
            'NOT_EQUAL',
            'IN',
            'NOT_IN',
            'LESS_THAN',
            'ARRAY_CONTAINS',
            'ARRAY_CONTAINS_ANY',
          ),
        ),
        value: maybe(value),
      }),
    }),
    fc.record({ unaryFilter: fc.record({ field, op: maybe(fc.constantFrom('IS_NAN', 'IS_NOT_NULL')) }) }),
    fc.record({
      compositeFilter: fc.record({ op: maybe(fc.constantFrom('AND', 'OR')), filters: list(tie('filter')) }),
    }),
  ),
}));
const cursor = fc.record({ values: list(value), before: fc.boolean() });
const structuredQuery = fc.record({
  from: maybe(list(fc.record({ collectionId: maybe(text), allDescendants: fc.boolean() }))),
  where: maybe(filter),
  orderBy: maybe(list(fc.record({ field, direction: maybe(fc.constantFrom('ASCENDING', 'DESCENDING')) }))),
  startAt: maybe(cursor),
  endAt: maybe(cursor),
  limit: maybe(fc.integer({ min: -1, max: 2 })),
  offset: maybe(fc.integer({ min: -1, max: 2 })),
  select: maybe(fc.record({ fields: list(fc.record({ fieldPath: maybe(text) })) })),
});
const transform = fc.record({
  fieldPath: maybe(text),
  increment: maybe(value),
  appendMissingElements: maybe(fc.record({ values: list(value) })),
  setToServerValue: maybe(fc.constant('REQUEST_TIME')),
});
const write = fc.record({
  update: maybe(fc.record({ name: maybe(text), fields: maybe(fc.dictionary(text, value, { maxKeys: 2 })) })),
  delete: maybe(text),
  verify: maybe(text),
  transform: maybe(fc.record({ document: maybe(text), fieldTransforms: list(transform) })),
  updateTransforms: maybe(list(transform)),
  updateMask: maybe(fc.record({ fieldPaths: list(text) })),
  currentDocument: maybe(fc.record({ exists: maybe(fc.boolean()) })),
});
const aggregation = fc.record({
  count: maybe(fc.record({ upTo: maybe(fc.integer()) })),
  sum: maybe(fc.record({ field })),
  alias: maybe(text),
});
const transaction = maybe(fc.constantFrom('', 'AAAA'));
const request: fc.Arbitrary<[verb: string, body: unknown]> = fc.oneof(
  fc.tuple(fc.constantFrom('commit', 'batchWrite'), fc.record({ writes: list(write), transaction })),
  fc.tuple(fc.constant('runQuery'), fc.record({ structuredQuery: maybe(structuredQuery), transaction })),
  fc.tuple(
    fc.constant('runAggregationQuery'),
    fc.record({
      structuredAggregationQuery: maybe(fc.record({ structuredQuery, aggregations: list(aggregation) })),
    }),
  ),
  fc.tuple(
    fc.constant('batchGet'),
    fc.record({ documents: list(text), mask: maybe(fc.record({ fieldPaths: list(text) })) }),
  ),
  fc.tuple(
    fc.constantFrom('commit', 'runQuery', 'batchGet', 'beginTransaction', 'rollback', 'listCollectionIds'),
    fc.jsonValue({ maxDepth: 3 }),
  ),
);

test('over REST each is answered or refused with a status', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(documents, `${documents}/a`, `${documents}/a/b`),
      request,
      async (path, [verb, body]) => {
        const rest = { method: 'POST', path: `/v1/${path}:${verb}`, parameters: new URLSearchParams() };
        try {
          await answerRest(service, {
            ...rest,
            authorization: 'Bearer owner',
            body: JSON.stringify(body) ?? '',
          });
        } catch (error) {
          expect(error).toBeInstanceOf(StatusError);
        }
      },
    ),
    { numRuns: 1500 },
  );
});

test('on a Listen stream each is answered, and none costs a writer its commit', () => {
  const sent: object[] = [];
  const failures: unknown[] = [];
  const watched: Service = {
    ...service,
    logger: { ...silentLogger, error: (fields) => failures.push(fields) },
  };
  const session = createListenSession(
    watched,
    { kind: 'admin' },
    {
      send: (response) => sent.push(response),
      isCongested: () => false,
      fail: (error) => failures.push(error),
    },
  );
  const target = fc.record({
    targetId: fc.integer({ min: 0, max: 20 }),
    query: maybe(fc.record({ parent: maybe(text), structuredQuery: maybe(structuredQuery) })),
    documents: maybe(fc.record({ documents: list(text) })),
    resumeToken: maybe(fc.constantFrom('', 'AAAA')),
    once: maybe(fc.boolean()),
  });
  let n = 0;
  fc.assert(
    fc.property(target, (addTarget) => {
      const json = JSON.parse(JSON.stringify({ database, addTarget })) as unknown;
      void session.handle(messageFromJson('ListenRequest', json) as ListenRequest);
      const name = `${documents}/a/${n % 5}`;
      void service.engine.commit([{ update: { name, fields: { a: { integerValue: String(n++) } } } }]);
      for (const response of sent.splice(0)) messageToJson('ListenResponse', response);
    }),
    { numRuns: 500 },
  );
  session.close();
  expect(failures).toEqual([]);
});
