/** Broken and random input over every transport: each is answered or refused, nothing fails inside, and the store stays whole. */
import { connect } from 'node:net';
import grpc from '@grpc/grpc-js';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { silentLogger } from '../logger.ts';
import { encodeMessage, firestoreMethods } from './protos.ts';
import { checkStore } from './store-check.ts';
import { startTemporaryServer, type TemporaryServer } from './temporary-server.ts';

/** Over all transports; `FIRESTORE_FUZZ_CASES=100000` for a night's worth. */
const CASES = Number(process.env['FIRESTORE_FUZZ_CASES'] ?? 2000);
const SEED = Number(process.env['FIRESTORE_FUZZ_SEED'] ?? 20_261_122);
const BATCH = 25;

let server: TemporaryServer;
let origin: string;
let client: grpc.Client;
const failures: unknown[] = [];
const onRejection = (reason: unknown) => failures.push(reason);

beforeAll(async () => {
  const logger = { ...silentLogger, error: (fields: object) => failures.push(fields) };
  server = await startTemporaryServer({ projectId: 'p', logger });
  origin = `http://${server.host}:${server.port}`;
  client = new grpc.Client(`${server.host}:${server.port}`, grpc.credentials.createInsecure());
  process.on('unhandledRejection', onRejection);
});
afterAll(async () => {
  process.off('unhandledRejection', onRejection);
  client.close();
  await server.close();
});

const database = 'projects/p/databases/(default)';
const documents = `${database}/documents`;

/** What requests are made of; pieces of them make the broken ones. */
const SAMPLES: { type: string; verb: string; json: object }[] = [
  {
    type: 'CommitRequest',
    verb: ':commit',
    json: {
      database,
      writes: [
        {
          update: {
            name: `${documents}/a/b`,
            fields: { n: { integerValue: '1' }, m: { mapValue: { fields: { x: { nullValue: null } } } } },
          },
        },
        {
          transform: {
            document: `${documents}/a/c`,
            fieldTransforms: [{ fieldPath: 'n', increment: { doubleValue: 1.5 } }],
          },
        },
        { delete: `${documents}/a/d`, currentDocument: { exists: true } },
      ],
    },
  },
  {
    type: 'RunQueryRequest',
    verb: ':runQuery',
    json: {
      parent: documents,
      structuredQuery: {
        from: [{ collectionId: 'a', allDescendants: true }],
        where: {
          compositeFilter: {
            op: 'OR',
            filters: [
              {
                fieldFilter: {
                  field: { fieldPath: 'n' },
                  op: 'IN',
                  value: { arrayValue: { values: [{ integerValue: '1' }] } },
                },
              },
              { unaryFilter: { field: { fieldPath: '`m`.x' }, op: 'IS_NULL' } },
            ],
          },
        },
        orderBy: [{ field: { fieldPath: 'n' }, direction: 'DESCENDING' }],
        startAt: { values: [{ doubleValue: 'NaN' }], before: true },
        limit: 3,
      },
    },
  },
  {
    type: 'BatchGetDocumentsRequest',
    verb: ':batchGet',
    json: { database, documents: [`${documents}/a/b`], newTransaction: { readOnly: {} } },
  },
  {
    type: 'ListenRequest',
    verb: ':listen',
    json: {
      database,
      addTarget: { targetId: 2, documents: { documents: [`${documents}/a/b`] }, resumeToken: 'AAAA' },
    },
  },
  { type: 'WriteRequest', verb: ':write', json: { database, writes: [], streamToken: 'AAAA' } },
  {
    type: 'BeginTransactionRequest',
    verb: ':beginTransaction',
    json: { database, options: { readWrite: { retryTransaction: 'AAAA' } } },
  },
  {
    type: 'RunAggregationQueryRequest',
    verb: ':runAggregationQuery',
    json: {
      parent: documents,
      structuredAggregationQuery: {
        structuredQuery: { from: [{ collectionId: 'a' }] },
        aggregations: [{ alias: 's', sum: { field: { fieldPath: 'n' } } }],
      },
    },
  },
];

/** Cuts, doubles, flips and swaps pieces of bytes. */
const mutation = fc.array(
  fc.record({
    at: fc.double({ min: 0, max: 1, noNaN: true }),
    kind: fc.nat(4),
    byte: fc.nat(255),
    length: fc.nat(12),
  }),
  { maxLength: 6 },
);
type Mutation = typeof mutation extends fc.Arbitrary<infer T> ? T : never;

function mutated(bytes: Buffer, steps: Mutation): Buffer {
  let result = Buffer.from(bytes);
  for (const { at, kind, byte, length } of steps) {
    const position = Math.floor(at * result.length);
    const [before, piece, after] = [
      result.subarray(0, position),
      result.subarray(position, position + length),
      result.subarray(position + length),
    ];
    if (kind === 0) result = Buffer.concat([before, after]);
    else if (kind === 1) result = Buffer.concat([before, piece, piece, after]);
    else if (kind === 2) result = Buffer.concat([before, Buffer.from([byte]), after]);
    else if (kind === 3) result = Buffer.concat([after, piece, before]);
    else result = Buffer.concat([before, Buffer.from('"\\u0000{}[]9e99'), piece, after]);
  }
  return result;
}

const sample = fc.constantFrom(...SAMPLES);
const authorization = fc.constantFrom('Bearer owner', 'Bearer owner', 'Bearer owner', '', 'Bearer x.y.z');

/** Runs one transport's share in small parallel batches. */
async function fuzz<Case>(cases: fc.Arbitrary<Case>, share: number, send: (each: Case) => Promise<void>) {
  const all = fc.sample(cases, { numRuns: Math.ceil(CASES * share), seed: SEED });
  for (let index = 0; index < all.length; index += BATCH) {
    await Promise.all(all.slice(index, index + BATCH).map(send));
    expect(failures, `seed ${SEED}, cases from ${index}`).toEqual([]);
  }
}

async function expectHealthy(): Promise<void> {
  const name = `${documents}/health/check`;
  const response = await fetch(`${origin}/v1/${name}`, {
    method: 'PATCH',
    headers: { Authorization: 'Bearer owner' },
    body: JSON.stringify({ fields: { n: { integerValue: '7' } } }),
  });
  expect(response.status).toBe(200);
  expect(checkStore(server.databaseFile)).toEqual([]);
}

const restStatuses = [200, 400, 401, 403, 404, 409, 413, 429, 499, 501, 503];

test('REST', async () => {
  const cases = fc.record({
    sample,
    steps: mutation,
    pathSteps: fc.option(mutation, { nil: [], freq: 2 }),
    method: fc.constantFrom('POST', 'POST', 'POST', 'GET', 'PATCH', 'DELETE', 'PUT'),
    authorization,
  });
  await fuzz(
    cases,
    0.35,
    async ({ sample: { json, verb }, steps, pathSteps, method, authorization: header }) => {
      const path = mutated(Buffer.from(`/v1/${documents}${verb}`), pathSteps).toString('latin1');
      const response = await fetch(`${origin}/${encodeURI(path).replaceAll('#', '%23')}`, {
        method,
        headers: { Authorization: header },
        ...(method === 'GET'
          ? {}
          : { body: new Uint8Array(mutated(Buffer.from(JSON.stringify(json)), steps)) }),
      });
      expect(restStatuses).toContain(response.status);
      await response.arrayBuffer();
    },
  );
  await expectHealthy();
});

test('WebChannel', async () => {
  const cases = fc.record({
    sample,
    steps: mutation,
    formSteps: fc.option(mutation, { nil: [], freq: 2 }),
    method: fc.constantFrom('Listen', 'Write'),
    authorization,
    follow: fc.constantFrom('none', 'post', 'terminate', 'back'),
  });
  await fuzz(
    cases,
    0.25,
    async ({ sample: { json }, steps, formSteps, method, authorization: header, follow }) => {
      const channel = `${origin}/google.firestore.v1.Firestore/${method}/channel?VER=8&RID=1&CVER=22&t=1`;
      const message = mutated(Buffer.from(JSON.stringify(json)), steps).toString();
      const form = new URLSearchParams({
        headers: `Authorization:${header}`,
        count: '1',
        ofs: '0',
        req0___data__: message,
      }).toString();
      const response = await fetch(channel, {
        method: 'POST',
        body: new Uint8Array(mutated(Buffer.from(form), formSteps)),
      });
      expect(restStatuses).toContain(response.status);
      const id = /"c","([^"]+)"/.exec(await response.text())?.[1];
      if (id === undefined) return;
      const session = `${channel}&SID=${id}`;
      if (follow === 'post') await fetch(`${session}&AID=${steps.length}`, { method: 'POST', body: form });
      if (follow === 'back') {
        const back = await fetch(`${session}&RID=rpc&AID=0&CI=1&TO=50`);
        await back.text();
      }
      await fetch(`${session}&TYPE=terminate`, { method: 'POST' });
    },
  );
  await expectHealthy();
});

test('gRPC', async () => {
  const methods = firestoreMethods();
  const cases = fc.record({
    sample,
    method: fc.constantFrom(...methods),
    isMatching: fc.boolean(),
    steps: mutation,
    authorization,
  });
  await fuzz(
    cases,
    0.35,
    async ({ sample: { type, json }, method, isMatching, steps, authorization: header }) => {
      const own = methods.find(({ requestType }) => requestType.endsWith(`.${type}`));
      const { path, requestStream, responseStream } = isMatching && own !== undefined ? own : method;
      const metadata = new grpc.Metadata();
      metadata.set('authorization', header);
      const bytes = mutated(encodeMessage(type, withoutBase64(json)), steps);
      const asIs = (each: Buffer) => each;
      await new Promise<void>((resolve) => {
        const done = () => resolve();
        if (requestStream) {
          const call = client.makeBidiStreamRequest<Buffer, Buffer>(path, asIs, asIs, metadata);
          call
            .on('error', done)
            .on('end', done)
            .on('data', () => {});
          call.write(bytes);
          call.write(bytes);
          call.end();
        } else if (responseStream) {
          const call = client.makeServerStreamRequest<Buffer, Buffer>(path, asIs, asIs, bytes, metadata);
          call
            .on('error', done)
            .on('end', done)
            .on('data', () => {});
        } else client.makeUnaryRequest<Buffer, Buffer>(path, asIs, asIs, bytes, metadata, done);
      });
    },
  );
  await expectHealthy();
});

/** encodeMessage takes what decodeMessage gives, in which bytes are Buffers and NaN is a number. */
function withoutBase64(json: object): object {
  const text = JSON.stringify(json, (key, value: unknown) =>
    key === 'resumeToken' || key === 'streamToken' || key === 'retryTransaction' ? undefined : value,
  );
  return JSON.parse(
    text.replace('"limit":3', '"limit":{"value":3}').replace('"NaN"', '0').replace('null}', '"NULL_VALUE"}'),
  ) as object;
}

test('bytes that are no protocol at all', async () => {
  const beginnings = [
    'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
    'GET / HTTP/1.1\r\n',
    'POST /v1/x HTTP/1.1\r\nContent-Length: 9\r\n\r\n',
    'PRI',
    '',
  ];
  const cases = fc.record({
    beginning: fc.constantFrom(...beginnings),
    rest: fc.uint8Array({ maxLength: 60 }),
    steps: mutation,
  });
  await fuzz(cases, 0.05, async ({ beginning, rest, steps }) => {
    await new Promise<void>((resolve) => {
      const socket = connect(server.port, server.host, () => {
        socket.end(mutated(Buffer.concat([Buffer.from(beginning), rest]), steps));
        setTimeout(() => socket.destroy(), 30);
      });
      socket
        .on('error', () => {})
        .on('close', () => resolve())
        .on('data', () => {});
    });
  });
  await expectHealthy();
});
