/** REST by hand: the resource URLs that no SDK here uses, errors, CORS and the emulator's own endpoint. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { startTemporaryServer, type TemporaryServer } from './temporary-server.ts';

let server: TemporaryServer;
let documents: string;

beforeAll(async () => {
  server = await startTemporaryServer();
  documents = `/v1/projects/${server.projectId}/databases/(default)/documents`;
});
afterAll(async () => {
  await server.close();
});

// biome-ignore lint/suspicious/noExplicitAny: responses of many shapes, looked at by the assertions.
type Answer = { status: number; headers: Headers; json: any };

async function request(
  method: string,
  path: string,
  body?: unknown,
  headers: Record<string, string> = {},
): Promise<Answer> {
  const response = await fetch(`http://${server.host}:${server.port}${path}`, {
    method,
    headers: { Authorization: 'Bearer owner', ...headers },
    ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  });
  const text = await response.text();
  return {
    status: response.status,
    headers: response.headers,
    json: text.startsWith('{') || text.startsWith('[') ? JSON.parse(text) : text,
  };
}

const clear = () =>
  request('DELETE', `/emulator/v1/projects/${server.projectId}/databases/(default)/documents`);

describe('documents by URL', () => {
  beforeEach(async () => {
    expect((await clear()).status).toBe(200);
  });

  test('create, read with a mask, patch with a mask, delete', async () => {
    const created = await request('POST', `${documents}/cities?documentId=par%20is`, {
      fields: { name: { stringValue: 'Paris' }, size: { integerValue: '2' } },
    });
    expect(created.json).toMatchObject({
      name: `projects/${server.projectId}/databases/(default)/documents/cities/par is`,
      fields: { size: { integerValue: '2' } },
      createTime: expect.stringMatching(/Z$/),
    });
    expect((await request('POST', `${documents}/cities?documentId=par%20is`, {})).status).toBe(409);
    const masked = await request('GET', `${documents}/cities/par%20is?mask.fieldPaths=size`);
    expect(masked.json.fields).toEqual({ size: { integerValue: '2' } });
    const patched = await request('PATCH', `${documents}/cities/par%20is?updateMask.fieldPaths=size`, {
      fields: { size: { doubleValue: 'NaN' }, name: { stringValue: 'ignored' } },
    });
    expect(patched.json.fields).toEqual({ name: { stringValue: 'Paris' }, size: { doubleValue: 'NaN' } });
    const wrongTime = `${documents}/cities/par%20is?currentDocument.updateTime=2020-01-01T00:00:00Z`;
    expect((await request('DELETE', wrongTime)).json.error.status).toBe('FAILED_PRECONDITION');
    expect((await request('DELETE', `${documents}/cities/par%20is`)).json).toEqual({});
    expect((await request('GET', `${documents}/cities/par%20is`)).json.error).toMatchObject({
      code: 404,
      status: 'NOT_FOUND',
    });
  });

  test('lists come in pages, sorted as asked', async () => {
    for (const n of [3, 1, 2]) {
      await request('PATCH', `${documents}/numbers/d${n}`, { fields: { n: { integerValue: n } } });
    }
    const first = await request('GET', `${documents}/numbers?pageSize=2&orderBy=n%20desc`);
    expect(first.json.documents.map((document: { name: string }) => document.name.at(-1))).toEqual([
      '3',
      '2',
    ]);
    const second = await request(
      'GET',
      `${documents}/numbers?pageSize=2&orderBy=n%20desc&pageToken=${first.json.nextPageToken}`,
    );
    expect(second.json.documents).toHaveLength(1);
    expect(second.json.nextPageToken).toBeUndefined();
  });

  test('streaming methods answer with an array, the others with an object', async () => {
    await request('PATCH', `${documents}/numbers/a`, { fields: { n: { integerValue: '9007199254740993' } } });
    const found = await request('POST', `${documents}:runQuery`, {
      structuredQuery: { from: [{ collectionId: 'numbers' }] },
    });
    expect(found.json[0].document.fields.n.integerValue).toBe('9007199254740993');
    const counted = await request('POST', `${documents}:runAggregationQuery`, {
      structuredAggregationQuery: {
        structuredQuery: { from: [{ collectionId: 'numbers' }] },
        aggregations: [{ count: {}, alias: 'c' }],
      },
    });
    expect(counted.json[0].result.aggregateFields).toEqual({ c: { integerValue: '1' } });
    expect((await request('POST', `${documents}:listCollectionIds`, {})).json).toEqual({
      collectionIds: ['numbers'],
    });
    const begun = await request('POST', `${documents}:beginTransaction`, {});
    expect(
      (await request('POST', `${documents}:rollback`, { transaction: begun.json.transaction })).json,
    ).toEqual({});
  });
});

describe('refusals', () => {
  test.each([
    ['POST', ':commit', 'not json', 400, 'INVALID_ARGUMENT'],
    ['POST', ':commit', '{"writes": 5}', 400, 'INVALID_ARGUMENT'],
    ['POST', ':commit', '{"writes": [{}]}', 400, 'INVALID_ARGUMENT'],
    ['POST', ':commit', 'null', 400, 'INVALID_ARGUMENT'],
    ['POST', ':runQuery', '{}', 501, 'UNIMPLEMENTED'],
    ['POST', ':executePipeline', '{}', 501, 'UNIMPLEMENTED'],
    ['POST', ':partitionQuery', '{}', 501, 'UNIMPLEMENTED'],
    ['GET', '/a/%E0%A4%A', undefined, 400, 'INVALID_ARGUMENT'],
    ['GET', '/a/..%2F..', undefined, 400, 'INVALID_ARGUMENT'],
    ['PUT', '/a/b', '{}', 404, 'NOT_FOUND'],
  ])('%s %s %s is answered with %i %s', async (method, path, body, code, status) => {
    const { json, status: httpStatus } = await request(method, documents + path, body);
    expect({ httpStatus, ...json.error }).toMatchObject({ httpStatus: code, code, status });
  });

  test('a body beyond the limit is refused and the server goes on', async () => {
    const { json } = await request('POST', `${documents}:commit`, 'x'.repeat(17 * 1024 * 1024));
    expect(json.error).toMatchObject({ code: 400, message: expect.stringContaining('exceeds the limit') });
  });

  test('another project is named, not silently kept apart', async () => {
    const { json } = await request('GET', '/v1/projects/other/databases/(default)/documents/a/b');
    expect(json.error).toMatchObject({
      status: 'INVALID_ARGUMENT',
      message: expect.stringContaining('not in project "demo-test"'),
    });
  });

  test('clients may neither list collections nor come with a token that is none', async () => {
    const asClient = { Authorization: '' };
    expect((await request('POST', `${documents}:listCollectionIds`, {}, asClient)).json.error.code).toBe(403);
    const withNonsense = { Authorization: 'Bearer nonsense' };
    expect((await request('GET', `${documents}/a/b`, undefined, withNonsense)).json.error.code).toBe(401);
  });
});

test('CORS echoes the origin with credentials and takes any header', async () => {
  const origin = 'http://localhost:5000';
  const preflight = await request('OPTIONS', `${documents}:commit`, undefined, {
    Origin: origin,
    'Access-Control-Request-Headers': 'authorization,x-goog-api-client',
  });
  expect(preflight.status).toBe(204);
  expect(Object.fromEntries(preflight.headers)).toMatchObject({
    'access-control-allow-origin': origin,
    'access-control-allow-credentials': 'true',
    'access-control-allow-headers': 'authorization,x-goog-api-client',
    vary: 'Origin',
  });
});
