import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import fc from 'fast-check';
import { deleteApp, initializeApp } from 'firebase-admin/app';
import { getDownloadURL, getStorage } from 'firebase-admin/storage';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type RunningStorage, startStorage } from './server.ts';

const folder = mkdtempSync(join(tmpdir(), 'storage-admin-'));
const app = initializeApp({ projectId: 'demo-storage', storageBucket: 'demo.app' }, 'storage-admin-test');
let server: RunningStorage;
let bucket: ReturnType<ReturnType<typeof getStorage>['bucket']>;

beforeAll(async () => {
  server = await startStorage({
    port: 0,
    projectId: 'demo-storage',
    dataFolder: folder,
    buckets: { 'demo.app': {}, 'other.app': {} },
  });
  process.env['FIREBASE_STORAGE_EMULATOR_HOST'] = `${server.host}:${server.port}`;
  bucket = getStorage(app).bucket();
});

afterAll(async () => {
  await deleteApp(app);
  await server.close();
  delete process.env['FIREBASE_STORAGE_EMULATOR_HOST'];
  delete process.env['STORAGE_EMULATOR_HOST'];
  rmSync(folder, { recursive: true });
});

type File = ReturnType<typeof bucket.file>;

/** The client gives the status as `code` in most errors, and as `status` alone where a resumable upload is refused. */
const code = (expected: number) =>
  expect.toSatisfy((error: { code?: unknown; status?: unknown }) =>
    [error.code, error.status].includes(expected),
  );

describe('Storage under firebase-admin', () => {
  test.each([
    ['in one request', { resumable: false }],
    ['resumable', { resumable: true }],
    ['resumable in chunks', { resumable: true, chunkSize: 256 * 1024 }],
  ])('takes a file %s and gives the same bytes, verified by their hashes', async (_name, options) => {
    const bytes = randomBytes(600_000);
    const file = bucket.file(`sizes/${_name}.png`);
    await file.save(bytes, { ...options, contentType: 'image/png', metadata: { metadata: { seed: '7' } } });
    const [downloaded] = await file.download({ validation: 'md5' });
    expect(downloaded.equals(bytes)).toBe(true);
    const [metadata] = await file.getMetadata();
    expect(metadata).toMatchObject({
      name: file.name,
      bucket: 'demo.app',
      size: '600000',
      contentType: 'image/png',
      metadata: { seed: '7' },
      metageneration: '1',
    });
  });

  test.each([{ resumable: false }, { resumable: true }])('takes an empty file: %j', async (options) => {
    const file = bucket.file('empty.txt');
    await file.save('', { ...options, contentType: 'text/plain' });
    expect((await file.download())[0].length).toBe(0);
    expect((await file.getMetadata())[0].size).toBe('0');
  });

  test('takes a stream of unknown length', async () => {
    const chunks = Array.from({ length: 40 }, () => randomBytes(10_000));
    const file = bucket.file('streamed.bin');
    await pipeline(Readable.from(chunks), file.createWriteStream());
    expect((await file.download())[0].equals(Buffer.concat(chunks))).toBe(true);
  });

  test('gives single ranges', async () => {
    const file = bucket.file('digits.txt');
    await file.save('0123456789', { resumable: false });
    const range = async (start: number, end: number) => (await file.download({ start, end }))[0].toString();
    expect(await range(2, 4)).toBe('234');
    expect(await range(7, 99)).toBe('789');
    await expect(file.download({ start: 10, end: 12 })).rejects.toEqual(code(416));
  });

  test('says 404 for what is not there', async () => {
    const file = bucket.file('nothing/here.png');
    expect(await file.exists()).toEqual([false]);
    await expect(file.getMetadata()).rejects.toEqual(code(404));
    await expect(file.download()).rejects.toMatchObject({
      code: 404,
      message: 'No such object: demo.app/nothing/here.png',
    });
    await expect(file.delete()).rejects.toEqual(code(404));
    expect(await bucket.exists()).toEqual([true]);
    expect(await getStorage(app).bucket('no-such-bucket').exists()).toEqual([false]);
  });

  test('a write with ifGenerationMatch 0 wins once, a late writer can neither overwrite nor delete', async () => {
    const file = bucket.file('generating/u1/image/a.png');
    const once = { preconditionOpts: { ifGenerationMatch: 0 } };
    await file.save('winner', { ...once, resumable: false });
    const first = Number((await file.getMetadata())[0].generation);
    for (const resumable of [false, true]) {
      await expect(file.save('loser', { ...once, resumable })).rejects.toEqual(code(412));
    }
    await file.save('second', { preconditionOpts: { ifGenerationMatch: first }, resumable: false });
    const second = Number((await file.getMetadata())[0].generation);
    expect(second).toBeGreaterThan(first);
    await expect(file.delete({ ifGenerationMatch: first })).rejects.toEqual(code(412));
    await expect(bucket.file(file.name, { generation: first }).delete()).rejects.toEqual(code(404));
    expect((await file.download())[0].toString()).toBe('second');
    await file.delete({ ifGenerationMatch: second });
    expect(await file.exists()).toEqual([false]);
  });

  test('of two uploads at the same moment with ifGenerationMatch 0 one wins', async () => {
    const file = bucket.file('race.png');
    const results = await Promise.allSettled(
      ['one', 'two', 'three'].map((text) =>
        bucket.file('race.png').save(text, { preconditionOpts: { ifGenerationMatch: 0 }, resumable: false }),
      ),
    );
    expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    const winner = results.findIndex(({ status }) => status === 'fulfilled');
    expect((await file.download())[0].toString()).toBe(['one', 'two', 'three'][winner]);
  });

  test('metadata is merged, and counted by the metageneration', async () => {
    const file = bucket.file('metadata.png');
    await file.save('x', { resumable: false, metadata: { metadata: { keep: '1', drop: '2' } } });
    await file.setMetadata({ cacheControl: 'no-cache', metadata: { drop: null, added: 'ü' } });
    expect((await file.getMetadata())[0]).toMatchObject({
      metageneration: '2',
      cacheControl: 'no-cache',
      metadata: { keep: '1', added: 'ü' },
    });
    await expect(file.setMetadata({ metadata: { a: 'b' } }, { ifMetagenerationMatch: 1 })).rejects.toEqual(
      code(412),
    );
  });

  test('lists by prefix and delimiter, page by page', async () => {
    for (const name of ['l/a', 'l/b/1', 'l/b/2', 'l/c/1', 'l/d', 'm/a']) {
      await bucket.file(name).save('x', { resumable: false });
    }
    const names: string[] = [];
    let query: object | null = { prefix: 'l/', maxResults: 2, autoPaginate: false };
    while (query !== null) {
      const [page, next] = (await bucket.getFiles(query)) as [File[], object | null, unknown];
      expect(page.length).toBeLessThanOrEqual(2);
      names.push(...page.map(({ name }) => name));
      query = next;
    }
    expect(names).toEqual(['l/a', 'l/b/1', 'l/b/2', 'l/c/1', 'l/d']);
    const [files, , answer] = await bucket.getFiles({ prefix: 'l/', delimiter: '/', autoPaginate: false });
    expect(files.map(({ name }) => name)).toEqual(['l/a', 'l/d']);
    expect((answer as { prefixes: string[] }).prefixes).toEqual(['l/b/', 'l/c/']);
    await bucket.deleteFiles({ prefix: 'l/' });
    expect((await bucket.getFiles({ prefix: 'l/' }))[0]).toEqual([]);
  });

  test('copies within and between buckets, and moves', async () => {
    const file = bucket.file('copy/source.txt');
    await file.save('words', {
      resumable: false,
      contentType: 'text/plain',
      metadata: { metadata: { a: '1' } },
    });
    const other = getStorage(app).bucket('other.app').file('copy/target ü.txt');
    await file.copy(other);
    await file.delete();
    expect((await other.download())[0].toString()).toBe('words');
    expect((await other.getMetadata())[0]).toMatchObject({ contentType: 'text/plain', metadata: { a: '1' } });
    await other.move('moved.txt');
    expect(await other.exists()).toEqual([false]);
    expect(await other.bucket.file('moved.txt').exists()).toEqual([true]);
  });

  test('makes an object public at upload and afterwards, and private again', async () => {
    const file = bucket.file('public/ä picture.png');
    await file.save('pixels', { resumable: false, predefinedAcl: 'publicRead', contentType: 'image/png' });
    expect(await (await fetch(file.publicUrl())).text()).toBe('pixels');
    expect(await file.isPublic()).toEqual([true]);
    await file.makePrivate();
    expect(await file.isPublic()).toEqual([false]);
    expect((await fetch(file.publicUrl())).status).toBe(403);
    await file.makePublic();
    expect((await fetch(file.publicUrl())).status).toBe(200);
    await file.acl.delete({ entity: 'allUsers' });
    expect((await fetch(file.publicUrl())).status).toBe(403);
  });

  test('a bucket that refuses ACLs says so with the status of the cloud, and keeps nothing', async () => {
    const file = bucket.file('refused.png');
    for (const [accessControl, status] of [
      ['uniform', 400],
      ['public-access-prevented', 412],
    ] as const) {
      server.configureBucket('demo.app', { accessControl });
      for (const resumable of [false, true]) {
        const refused = file.save(randomBytes(500_000), { resumable, predefinedAcl: 'publicRead' });
        await expect(refused).rejects.toEqual(code(status));
      }
      expect(await file.exists()).toEqual([false]);
      await file.save('x', { resumable: false });
      await expect(file.makePublic()).rejects.toEqual(code(status));
      await file.delete();
    }
    server.configureBucket('demo.app', { accessControl: 'object-acls' });
  });

  test('keeps the download token that was uploaded with the object, or makes one when asked', async () => {
    const named = bucket.file('tokens/named.png');
    const metadata = { metadata: { firebaseStorageDownloadTokens: 'token-1' } };
    await named.save('pixels', { resumable: false, metadata });
    const link = `${server.url}/v0/b/demo.app/o/${encodeURIComponent(named.name)}?alt=media`;
    expect((await fetch(`${link}&token=token-1`)).status).toBe(200);
    expect((await fetch(`${link}&token=token-2`)).status).toBe(403);
    expect((await fetch(link)).status).toBe(403);
    expect(await getDownloadURL(named)).toBe(`${link}&token=token-1`);

    const unnamed = bucket.file('tokens/unnamed.png');
    await unnamed.save('other pixels', { resumable: false });
    const url = await getDownloadURL(unnamed);
    expect(await (await fetch(url)).text()).toBe('other pixels');
    expect(await getDownloadURL(unnamed)).toBe(url);
  });

  test('the bucket takes a CORS configuration', async () => {
    const cors = [{ origin: ['http://localhost:5000'], method: ['GET'], maxAgeSeconds: 60 }];
    await bucket.setCorsConfiguration(cors);
    expect((await bucket.getMetadata())[0].cors).toEqual(cors);
    await bucket.setCorsConfiguration([]);
  });

  test('any name that the rules allow is one object, and none leaves the data folder', async () => {
    const part = fc.oneof(
      fc.constantFrom(
        '..',
        '.',
        '/',
        '//',
        '%2F',
        '%',
        '?',
        '#',
        '&',
        '+',
        ' ',
        '\\',
        '😀',
        'ü',
        '\u0000',
        '"',
      ),
      fc.string({ unit: 'binary', maxLength: 5 }),
    );
    const name = fc
      .array(part, { minLength: 1, maxLength: 5 })
      .map((parts) => parts.join(''))
      .filter((text) => text !== '.' && text !== '..' && !/[\r\n]/.test(text) && text !== '');
    await fc.assert(
      fc.asyncProperty(name, async (text) => {
        const file = bucket.file(`names/${text}`);
        await file.save(text, { resumable: false });
        expect((await file.download())[0].toString()).toBe(text);
        const [files] = await bucket.getFiles({ prefix: 'names/' });
        expect(files.map((each) => each.name)).toEqual([`names/${text}`]);
        await file.delete();
      }),
      { numRuns: 15 },
    );
  });

  test('says what it does not do', async () => {
    await expect(bucket.setMetadata({ versioning: { enabled: true } })).rejects.toThrow(
      /does not do the bucket's versioning/,
    );
    await expect(bucket.getFiles({ versions: true })).rejects.toThrow(/does not do object versioning/);
    await expect(bucket.file('a').moveFileAtomic('b')).rejects.toThrow(/does not do POST .*moveTo/);
  });
});
