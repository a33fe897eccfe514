import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type RunningStorage, startStorage } from './server.ts';

const folder = mkdtempSync(join(tmpdir(), 'storage-public-'));
const origin = 'http://localhost:5000';
let server: RunningStorage;

beforeAll(async () => {
  server = await startStorage({
    port: 0,
    projectId: 'demo-storage',
    dataFolder: folder,
    buckets: {
      'strict.app': {},
      'open.app': {
        cors: [
          { origin: [origin], method: ['GET', 'HEAD'], responseHeader: ['x-goog-hash'], maxAgeSeconds: 60 },
        ],
      },
    },
  });
  for (const bucket of ['strict.app', 'open.app']) {
    await upload(bucket, 'public.txt', '0123456789', '&predefinedAcl=publicRead');
    await upload(bucket, 'private.txt', 'secret');
  }
});

afterAll(async () => {
  await server.close();
  rmSync(folder, { recursive: true });
});

async function upload(bucket: string, name: string, text: string, more = '') {
  const query = `uploadType=media&name=${encodeURIComponent(name)}${more}`;
  const answer = await fetch(`${server.url}/upload/storage/v1/b/${bucket}/o?${query}`, {
    method: 'POST',
    headers: { 'content-type': 'text/plain' },
    body: text,
  });
  expect(answer.status).toBe(200);
  return (await answer.json()) as { generation: string };
}

const get = (path: string, headers: Record<string, string> = {}, method = 'GET') =>
  fetch(`${server.url}${path}`, { headers, method });

describe('plain links', () => {
  test('a public object is everybody’s, with its type, hashes and caching', async () => {
    const answer = await get('/strict.app/public.txt');
    expect(answer.status).toBe(200);
    expect(await answer.text()).toBe('0123456789');
    expect(Object.fromEntries(answer.headers)).toMatchObject({
      'content-type': 'text/plain',
      'content-length': '10',
      'cache-control': 'public, max-age=3600',
      'accept-ranges': 'bytes',
      // CRC32C and MD5 of 0123456789, by `gsutil hash`'s definitions.
      'x-goog-hash': 'crc32c=KAwGng==,md5=eB5eJF1ptWaXm4bijSPyxw==',
    });
  });

  test('an outsider cannot tell a private object from none', async () => {
    const [hidden, absent] = [await get('/strict.app/private.txt'), await get('/strict.app/absent.txt')];
    expect([hidden.status, absent.status]).toEqual([403, 403]);
    const text = await hidden.text();
    expect(text).toContain('<Code>AccessDenied</Code>');
    expect(await absent.text()).toBe(text);
    const owner = { authorization: 'Bearer owner' };
    expect(await (await get('/strict.app/private.txt', owner)).text()).toBe('secret');
    expect((await get('/strict.app/absent.txt', owner)).status).toBe(404);
  });

  test.each([
    ['bytes=2-4', 206, '234', 'bytes 2-4/10'],
    ['bytes=-2', 206, '89', 'bytes 8-9/10'],
    ['bytes=10-', 416, null, 'bytes */10'],
    ['bytes=nonsense', 200, '0123456789', null],
  ])('%s gives %i', async (range, status, text, contentRange) => {
    const answer = await get('/strict.app/public.txt', { range });
    expect(answer.status).toBe(status);
    expect(answer.headers.get('content-range')).toBe(contentRange);
    if (text !== null) expect(await answer.text()).toBe(text);
  });

  test('HEAD gives the headers alone, a known ETag 304, and the ETag changes with the object', async () => {
    const head = await get('/strict.app/public.txt', {}, 'HEAD');
    expect([head.status, head.headers.get('content-length'), await head.text()]).toEqual([200, '10', '']);
    const etag = head.headers.get('etag') ?? '';
    expect((await get('/strict.app/public.txt', { 'if-none-match': etag })).status).toBe(304);
    await upload('strict.app', 'public.txt', '0123456789', '&predefinedAcl=publicRead');
    expect((await get('/strict.app/public.txt', { 'if-none-match': etag })).status).toBe(200);
  });

  test('uniform access closes what object ACLs had opened', async () => {
    server.configureBucket('strict.app', { accessControl: 'uniform' });
    expect((await get('/strict.app/public.txt')).status).toBe(403);
    server.configureBucket('strict.app', { accessControl: 'object-acls' });
    expect((await get('/strict.app/public.txt')).status).toBe(200);
  });

  test('what is not done says so', async () => {
    expect((await get('/strict.app/private.txt', {}, 'PATCH')).status).toBe(501);
    expect((await get('/strict.app/private.txt', {}, 'PUT')).status).toBe(403);
    const nowhere = await get('/no-such-bucket/x');
    expect([nowhere.status, await nowhere.text()]).toEqual([404, expect.stringContaining('NoSuchBucket')]);
  });
});

describe('other origins', () => {
  test('may read bytes only where the bucket’s configuration names them', async () => {
    const allowed = await get('/open.app/public.txt', { origin });
    expect(allowed.headers.get('access-control-allow-origin')).toBe(origin);
    expect(allowed.headers.get('access-control-expose-headers')).toBe('x-goog-hash');
    expect(allowed.headers.get('vary')).toBe('Origin');
    for (const [path, from] of [
      ['/open.app/public.txt', 'http://evil.example'],
      ['/strict.app/public.txt', origin],
      ['/v0/b/strict.app/o/public.txt?alt=media', origin],
    ] as const) {
      expect((await get(path, { origin: from })).headers.get('access-control-allow-origin')).toBeNull();
    }
  });

  test('are told by a preflight which methods and headers they may use', async () => {
    const ask = (bucket: string, method: string) =>
      get(
        `/${bucket}/public.txt`,
        {
          origin,
          'access-control-request-method': method,
          'access-control-request-headers': 'x-goog-hash, x-secret',
        },
        'OPTIONS',
      );
    expect(Object.fromEntries((await ask('open.app', 'GET')).headers)).toMatchObject({
      'access-control-allow-origin': origin,
      'access-control-allow-methods': 'GET, HEAD',
      'access-control-allow-headers': 'x-goog-hash',
      'access-control-max-age': '60',
    });
    for (const refused of [await ask('open.app', 'PUT'), await ask('strict.app', 'GET')]) {
      expect(refused.headers.get('access-control-allow-origin')).toBeNull();
    }
  });

  test('may always use the JSON APIs, errors included', async () => {
    for (const path of ['/v0/b/strict.app/o/private.txt', '/storage/v1/b/strict.app/o', '/b/none/o/x']) {
      expect((await get(path, { origin })).headers.get('access-control-allow-origin')).toBe('*');
    }
    const preflight = await get(
      '/v0/b/strict.app/o',
      { origin, 'access-control-request-method': 'POST', 'access-control-request-headers': 'authorization' },
      'OPTIONS',
    );
    expect(preflight.headers.get('access-control-allow-headers')).toBe('authorization');
    expect(preflight.headers.get('access-control-allow-methods')).toContain('POST');
  });
});

describe('the JSON API', () => {
  test('refuses bytes that are not those whose hash the client sent, and keeps nothing', async () => {
    const answer = await fetch(
      `${server.url}/upload/storage/v1/b/strict.app/o?uploadType=media&name=bad.txt`,
      {
        method: 'POST',
        headers: { 'x-goog-hash': 'md5=AAAAAAAAAAAAAAAAAAAAAA==' },
        body: 'text',
      },
    );
    expect(answer.status).toBe(400);
    expect((await get('/storage/v1/b/strict.app/o/bad.txt')).status).toBe(404);
  });

  test('makes and revokes download tokens for administrators alone', async () => {
    const { generation } = await upload('strict.app', 'token.txt', 'text');
    expect(Number(generation)).toBeGreaterThan(0);
    const change = async (
      query: string,
      headers: Record<string, string> = { authorization: 'Bearer owner' },
    ) => {
      const answer = await get(`/v0/b/strict.app/o/token.txt?${query}`, headers, 'POST');
      return { status: answer.status, ...((await answer.json()) as { downloadTokens: string }) };
    };
    const first = (await change('create_token=true')).downloadTokens;
    expect((await change('create_token=true', {})).status).toBe(403);
    expect((await get(`/v0/b/strict.app/o/token.txt?alt=media&token=${first}`)).status).toBe(200);
    const second = (await change(`delete_token=${first}`)).downloadTokens;
    expect((await get(`/v0/b/strict.app/o/token.txt?alt=media&token=${first}`)).status).toBe(403);
    expect((await get(`/v0/b/strict.app/o/token.txt?alt=media&token=${second}`)).status).toBe(200);
  });
});
