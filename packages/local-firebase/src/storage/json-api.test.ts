import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import { Storage } from '@google-cloud/storage';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { type RunningStorage, startStorage } from './server.ts';

const folder = mkdtempSync(join(tmpdir(), 'storage-json-'));
let server: RunningStorage;
let bucket: ReturnType<Storage['bucket']>;
let aheadMs = 0;

beforeAll(async () => {
  server = await startStorage({
    port: 0,
    projectId: 'demo',
    dataFolder: folder,
    buckets: { 'demo.app': {} },
    clock: () => Date.now() + aheadMs,
  });
  bucket = new Storage({ projectId: 'demo', apiEndpoint: server.url }).bucket('demo.app');
});
afterEach(() => {
  aheadMs = 0;
  server.configureBucket('demo.app', { accessControl: 'object-acls' });
});
afterAll(async () => {
  await server.close();
  rmSync(folder, { recursive: true });
});

const code = (expected: number) => expect.objectContaining({ code: expected });
const raw = (path: string, init?: RequestInit) => fetch(`${server.url}${path}`, init);
const save = (name: string, text: string | Buffer, options: object = {}) =>
  bucket.file(name).save(text, { resumable: false, ...options });

describe('objects made of objects', () => {
  test('compose joins them in order and says how many', async () => {
    await save('part-1', 'one,', { contentType: 'text/plain' });
    await save('part-2', 'two');
    const [file] = await bucket.combine(['part-1', 'part-2'], 'whole.txt');
    expect((await file.download())[0].toString()).toBe('one,two');
    expect((await file.getMetadata())[0]).toMatchObject({ componentCount: 2, contentType: 'text/plain' });
    await expect(bucket.combine(['part-1', 'absent'], 'none')).rejects.toEqual(code(404));
  });

  test('a rewrite goes in steps when steps are asked for, and starts again when the source has changed', async () => {
    const bytes = randomBytes(2_500_000);
    await save('large.bin', bytes);
    const step = async (token?: string) => {
      const query = `maxBytesRewrittenPerCall=1048576${token === undefined ? '' : `&rewriteToken=${token}`}`;
      const answer = await raw(
        `/storage/v1/b/demo.app/o/large.bin/rewriteTo/b/demo.app/o/copy.bin?${query}`,
        {
          method: 'POST',
        },
      );
      return (await answer.json()) as { done: boolean; totalBytesRewritten: string; rewriteToken?: string };
    };
    const first = await step();
    expect(first).toMatchObject({ done: false, totalBytesRewritten: '1048576' });
    const second = await step(first.rewriteToken);
    expect(second).toMatchObject({ done: false, totalBytesRewritten: '2097152' });
    expect(await bucket.file('copy.bin').exists()).toEqual([false]);
    expect(await step(second.rewriteToken)).toMatchObject({ done: true, totalBytesRewritten: '2500000' });
    expect((await bucket.file('copy.bin').download())[0].equals(bytes)).toBe(true);
    await save('large.bin', bytes);
    expect(await step(first.rewriteToken)).toMatchObject({ error: { code: 400 } });
  });
});

describe('preconditions', () => {
  test('of reads: 412 when it is another generation, 304 when the reader has it', async () => {
    await save('read.txt', 'x');
    const { generation } = (await bucket.file('read.txt').getMetadata())[0];
    const get = async (query: string) => (await raw(`/storage/v1/b/demo.app/o/read.txt?${query}`)).status;
    expect(await get(`ifGenerationMatch=${generation}`)).toBe(200);
    expect(await get('ifGenerationMatch=1')).toBe(412);
    expect(await get(`ifGenerationNotMatch=${generation}`)).toBe(304);
    expect(await get(`alt=media&ifGenerationNotMatch=${generation}`)).toBe(304);
    expect(await get('ifMetagenerationNotMatch=2')).toBe(200);
    expect(await get('ifMetagenerationMatch=nonsense')).toBe(400);
  });

  test('of copies and changes', async () => {
    await save('source.txt', 'x');
    const source = bucket.file('source.txt');
    const { generation } = (await source.getMetadata())[0];
    const target = bucket.file('target.txt');
    await source.copy(target, { preconditionOpts: { ifGenerationMatch: 0 } });
    await expect(source.copy(target, { preconditionOpts: { ifGenerationMatch: 0 } })).rejects.toEqual(
      code(412),
    );
    const rewrite = await raw(
      `/b/demo.app/o/source.txt/rewriteTo/b/demo.app/o/t2?ifSourceGenerationMatch=${Number(generation) + 1}`,
      { method: 'POST' },
    );
    expect(rewrite.status).toBe(412);
    const stale = await raw(`/b/demo.app/o/source.txt?generation=${Number(generation) - 1}`, {
      method: 'PATCH',
      body: '{}',
    });
    expect(stale.status).toBe(404);
  });
});

describe('access control lists', () => {
  test('of an object: added, read, changed, taken away', async () => {
    await save('acl.txt', 'x');
    const { acl } = bucket.file('acl.txt');
    await acl.add({ entity: 'user-ada@example.com', role: 'READER' });
    expect((await acl.get({ entity: 'user-ada@example.com' }))[0]).toMatchObject({ role: 'READER' });
    await acl.update({ entity: 'user-ada@example.com', role: 'OWNER' });
    expect((await acl.get())[0]).toMatchObject([{ entity: 'user-ada@example.com', role: 'OWNER' }]);
    await acl.delete({ entity: 'user-ada@example.com' });
    await expect(acl.delete({ entity: 'user-ada@example.com' })).rejects.toEqual(code(404));
    await expect(acl.add({ entity: 'allUsers', role: 'NOBODY' })).rejects.toEqual(code(400));
  });

  test('of later objects: the default of the bucket', async () => {
    await bucket.acl.default.add({ entity: 'allUsers', role: 'READER' });
    await save('later.txt', 'x');
    expect((await fetch(bucket.file('later.txt').publicUrl())).status).toBe(200);
    await bucket.acl.default.delete({ entity: 'allUsers' });
    await save('later.txt', 'x');
    expect((await fetch(bucket.file('later.txt').publicUrl())).status).toBe(403);
  });

  test('are out of force under uniform access, whose words name the verb; prevention is a switch of its own', async () => {
    await save('uniform.txt', 'x', { predefinedAcl: 'publicRead' });
    await bucket.setMetadata({ iamConfiguration: { uniformBucketLevelAccess: { enabled: true } } });
    await bucket.setMetadata({ iamConfiguration: { publicAccessPrevention: 'enforced' } });
    expect((await bucket.getMetadata())[0].iamConfiguration).toMatchObject({
      uniformBucketLevelAccess: { enabled: true },
      publicAccessPrevention: 'enforced',
    });
    const file = bucket.file('uniform.txt');
    await expect(file.acl.get()).rejects.toThrow(/Cannot get legacy ACL/);
    await expect(file.makePublic()).rejects.toThrow(/Cannot insert legacy ACL/);
    await expect(file.acl.delete({ entity: 'allUsers' })).rejects.toThrow(/Cannot delete legacy ACL/);
    expect((await fetch(file.publicUrl())).status).toBe(403);
    await bucket.setMetadata({ iamConfiguration: { uniformBucketLevelAccess: { enabled: false } } });
    await expect(file.makePublic()).rejects.toEqual(code(412));
  });
});

test('lists by glob, and shows what is named like a folder only when asked', async () => {
  for (const name of ['g/', 'g/a.png', 'g/b.txt', 'g/h/c.png', 'g/i/d.txt']) await save(name, 'x');
  const names = async (query: object) => (await bucket.getFiles(query))[0].map(({ name }) => name);
  expect(await names({ matchGlob: 'g/**.png' })).toEqual(['g/a.png', 'g/h/c.png']);
  expect(await names({ matchGlob: 'g/*.{png,txt}' })).toEqual(['g/a.png', 'g/b.txt']);
  expect(await names({ delimiter: '/', prefix: 'g' })).toEqual([]);
  expect(await names({ delimiter: '/', prefix: 'g', includeTrailingDelimiter: true })).toEqual(['g/']);
});

test('unpacks gzip for a client that cannot, and only then', async () => {
  await save('packed.txt', gzipSync('hello hello hello'), { metadata: { contentEncoding: 'gzip' } });
  const get = (headers: Record<string, string>) =>
    new Promise<{ headers: Record<string, unknown>; body: Buffer }>((resolve, reject) => {
      const sent = request(`${server.url}/b/demo.app/o/packed.txt?alt=media`, { headers }, (answer) => {
        const chunks: Buffer[] = [];
        answer.on('data', (chunk: Buffer) => chunks.push(chunk));
        answer.on('end', () => resolve({ headers: answer.headers, body: Buffer.concat(chunks) }));
      });
      sent.on('error', reject);
      sent.end();
    });
  const plain = await get({});
  expect(plain.body.toString()).toBe('hello hello hello');
  expect(plain.headers).toMatchObject({ 'x-goog-stored-content-encoding': 'gzip', vary: 'Accept-Encoding' });
  expect(plain.headers['content-encoding']).toBeUndefined();
  const packed = await get({ 'accept-encoding': 'gzip' });
  expect(packed.headers['content-encoding']).toBe('gzip');
  expect(gunzipSync(packed.body).toString()).toBe('hello hello hello');
  expect((await bucket.file('packed.txt').download())[0].toString()).toBe('hello hello hello');
});

test('an upload session ends after a week, and when it is cancelled', async () => {
  const start = async () => {
    const answer = await raw('/upload/storage/v1/b/demo.app/o?uploadType=resumable&name=s', {
      method: 'POST',
    });
    return answer.headers.get('location') ?? '';
  };
  const status = (at: string) => fetch(at, { method: 'PUT', headers: { 'content-range': 'bytes */10' } });
  const [old, cancelled] = [await start(), await start()];
  expect((await status(old)).status).toBe(308);
  expect((await fetch(cancelled, { method: 'DELETE' })).status).toBe(499);
  expect((await status(cancelled)).status).toBe(404);
  aheadMs = 7 * 24 * 3600 * 1000 + 1;
  expect((await status(old)).status).toBe(404);
});
