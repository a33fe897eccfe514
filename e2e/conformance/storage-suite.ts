/** How Storage behaves, through the web SDK and the Admin SDK. */
import { createHash, randomBytes } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import { signInAnonymously } from 'firebase/auth';
import {
  deleteObject,
  getBytes,
  getDownloadURL,
  getMetadata,
  list,
  listAll,
  ref,
  updateMetadata,
  uploadBytes,
  uploadBytesResumable,
} from 'firebase/storage';
import { getDownloadURL as getAdminDownloadURL } from 'firebase-admin/storage';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Backend, WebClient } from './backend.ts';

export function describeStorage(backend: Backend): void {
  const { admin, run } = backend;
  const { bucket } = admin;
  let client: WebClient;
  let own: string;
  const serverPath = (name: string) => `conformance/${run}/server/${name}`;
  /** The Google Cloud client gives the HTTP status as `code`, or as `status` where a resumable upload is refused. */
  const status = (expected: number) =>
    expect.toSatisfy((error: { code?: unknown; status?: unknown }) =>
      [error.code, error.status].includes(expected),
    );

  describe('Storage', () => {
    beforeAll(async () => {
      client = backend.connect();
      const { user } = await signInAnonymously(client.auth);
      own = `conformance/${run}/own/${user.uid}`;
    });
    afterAll(() => admin.auth.deleteUsers([client.auth.currentUser?.uid ?? '']));

    test('the web SDK uploads, reads, changes, lists and deletes', async () => {
      const object = ref(client.storage, `${own}/ä b.png`);
      const bytes = randomBytes(50_000);
      const { metadata } = await uploadBytes(object, bytes, {
        contentType: 'image/png',
        customMetadata: { seed: '7' },
      });
      expect(metadata).toMatchObject({
        size: 50_000,
        contentType: 'image/png',
        customMetadata: { seed: '7' },
      });
      expect(metadata.md5Hash).toBe(createHash('md5').update(bytes).digest('base64'));
      expect(Buffer.from(await getBytes(object)).equals(bytes)).toBe(true);
      expect(Buffer.from(await getBytes(object, 100)).equals(bytes.subarray(0, 100))).toBe(true);
      await updateMetadata(object, { cacheControl: 'no-store' });
      expect((await getMetadata(object)).cacheControl).toBe('no-store');
      for (const name of ['folder/c.txt', 'd.txt']) {
        await uploadBytes(ref(client.storage, `${own}/${name}`), Buffer.from('x'));
      }
      const { items, prefixes } = await listAll(ref(client.storage, own));
      expect([items.map(({ name }) => name), prefixes.map(({ name }) => name)]).toEqual([
        ['d.txt', 'ä b.png'],
        ['folder'],
      ]);
      expect((await list(ref(client.storage, own), { maxResults: 1 })).nextPageToken).toBeTruthy();
      await deleteObject(object);
      const code = 'storage/object-not-found';
      await expect(getMetadata(object)).rejects.toMatchObject({ code });
      await expect(deleteObject(object)).rejects.toMatchObject({ code });
    });

    test('a resumable upload reports progress, waits and goes on', async () => {
      const object = ref(client.storage, `${own}/large.bin`);
      const bytes = randomBytes(900_000);
      const task = uploadBytesResumable(object, bytes);
      const progress: number[] = [];
      await new Promise<void>((resolve) => {
        const stop = task.on('state_changed', ({ bytesTransferred }) => {
          progress.push(bytesTransferred);
          if (bytesTransferred === 0 || !task.pause()) return;
          stop();
          resolve();
        });
      });
      task.resume();
      await task;
      expect(progress).toEqual([...progress].sort((one, next) => one - next));
      expect(Buffer.from(await getBytes(object)).equals(bytes)).toBe(true);
    });

    test('a download address works for everybody who has the token', async () => {
      const object = ref(client.storage, `${own}/token.txt`);
      await uploadBytes(object, Buffer.from('secret'), { contentType: 'text/plain' });
      const url = await getDownloadURL(object);
      expect(await getDownloadURL(object)).toBe(url);
      const answer = await fetch(url, { headers: { range: 'bytes=-3' } });
      expect([answer.status, await answer.text()]).toEqual([206, 'ret']);
      expect((await fetch(url.replace(/token=[^&]+/, 'token=guessed'))).status).toBe(403);
    });

    test.skipIf(!backend.can('admin-download-tokens'))(
      'the Admin SDK gives the same address, and revokes it by replacing the token',
      async () => {
        const object = ref(client.storage, `${own}/revoked.txt`);
        await uploadBytes(object, Buffer.from('secret'));
        const url = await getDownloadURL(object);
        const file = bucket.file(object.fullPath);
        const token = (link: string) => new URL(link).searchParams.get('token');
        expect(token(await getAdminDownloadURL(file))).toBe(token(url));
        await file.setMetadata({ metadata: { firebaseStorageDownloadTokens: 'another' } });
        expect((await fetch(url)).status).toBe(403);
        expect((await fetch(url.replace(/token=[^&]+/, 'token=another'))).status).toBe(200);
      },
    );

    test('the Admin SDK saves in one request and resumable, and reads verified, in ranges too', async () => {
      const bytes = randomBytes(600_000);
      for (const resumable of [false, true]) {
        const file = bucket.file(serverPath(`saved-${resumable}.bin`));
        await file.save(bytes, {
          resumable,
          contentType: 'application/x-test',
          metadata: { metadata: { a: '1' } },
        });
        expect((await file.download({ validation: 'crc32c' }))[0].equals(bytes)).toBe(true);
        expect((await file.download({ start: 10, end: 19 }))[0].equals(bytes.subarray(10, 20))).toBe(true);
        expect((await file.getMetadata())[0]).toMatchObject({
          size: '600000',
          contentType: 'application/x-test',
          metadata: { a: '1' },
          metageneration: '1',
        });
      }
      await expect(bucket.file(serverPath('absent')).download()).rejects.toEqual(status(404));
      expect(await bucket.file(serverPath('absent')).exists()).toEqual([false]);
    });

    test.skipIf(!backend.can('chunked-uploads'))('chunks make the same file', async () => {
      const bytes = randomBytes(700_000);
      const file = bucket.file(serverPath('chunked.bin'));
      await file.save(bytes, { resumable: true, chunkSize: 256 * 1024 });
      expect((await file.download({ validation: 'md5' }))[0].equals(bytes)).toBe(true);
    });

    test('lists by prefix and delimiter; copies; merges metadata; deletes', async () => {
      for (const name of ['l/a', 'l/b/1', 'l/b/2', 'l/c'])
        await bucket.file(serverPath(name)).save('x', { resumable: false });
      const [files, , answer] = await bucket.getFiles({
        prefix: serverPath('l/'),
        delimiter: '/',
        autoPaginate: false,
      });
      expect(files.map(({ name }) => name)).toEqual(['l/a', 'l/c'].map(serverPath));
      expect((answer as { prefixes: string[] }).prefixes).toEqual([serverPath('l/b/')]);
      const copy = bucket.file(serverPath('l/copy'));
      await bucket.file(serverPath('l/a')).copy(copy);
      expect((await copy.download())[0].toString()).toBe('x');
      await copy.setMetadata({ metadata: { keep: '1', drop: '2' } });
      await copy.setMetadata({ metadata: { drop: null } });
      expect((await copy.getMetadata())[0].metadata).toEqual({ keep: '1' });
      await copy.delete();
      await expect(copy.delete()).rejects.toEqual(status(404));
    });

    test.skipIf(!backend.can('preconditions'))(
      'generations: a late writer neither overwrites nor deletes',
      async () => {
        const file = bucket.file(serverPath('generation.txt'));
        const once = { preconditionOpts: { ifGenerationMatch: 0 }, resumable: false };
        await file.save('first', once);
        await expect(bucket.file(file.name).save('second', once)).rejects.toEqual(status(412));
        const { generation } = (await file.getMetadata())[0];
        await file.save('third', { resumable: false });
        await expect(
          bucket.file(file.name).delete({ ifGenerationMatch: Number(generation) }),
        ).rejects.toEqual(status(412));
        expect((await bucket.file(file.name).download())[0].toString()).toBe('third');
      },
    );

    test.skipIf(!backend.can('object-acls'))('an object is made public and private again', async () => {
      const file = bucket.file(serverPath('public.txt'));
      await file.save('shown', { resumable: false });
      expect((await fetch(file.publicUrl())).status).toBe(403);
      await file.makePublic();
      expect(await (await fetch(file.publicUrl())).text()).toBe('shown');
      await file.makePrivate();
      expect((await fetch(file.publicUrl())).status).toBe(403);
    });

    test.skipIf(!backend.can('signed-urls'))(
      'signed addresses read and upload until they expire',
      async () => {
        const file = bucket.file(serverPath('signed.txt'));
        const expires = Date.now() + 60_000;
        for (const version of ['v2', 'v4'] as const) {
          const [upload] = await file.getSignedUrl({
            version,
            action: 'write',
            expires,
            contentType: 'text/plain',
          });
          const put = (contentType: string) =>
            fetch(upload, { method: 'PUT', headers: { 'content-type': contentType }, body: version });
          expect((await put('text/html')).status).toBe(403);
          expect((await put('text/plain')).status).toBe(200);
          const [read] = await file.getSignedUrl({ version, action: 'read', expires });
          expect(await (await fetch(read)).text()).toBe(version);
          const tampered = await fetch(read.replace('signed.txt', 'other.txt'));
          expect([tampered.status, await tampered.text()]).toEqual([
            403,
            expect.stringContaining('SignatureDoesNotMatch'),
          ]);
        }
      },
    );

    test.skipIf(!backend.can('storage-extras'))('composes, matches globs and unpacks gzip', async () => {
      for (const part of ['one', 'two'])
        await bucket.file(serverPath(`part-${part}`)).save(part, { resumable: false });
      const [whole] = await bucket.combine(
        [serverPath('part-one'), serverPath('part-two')],
        serverPath('whole'),
      );
      expect((await whole.download())[0].toString()).toBe('onetwo');
      const [matched] = await bucket.getFiles({ matchGlob: serverPath('part-{one,three}') });
      expect(matched.map(({ name }) => name)).toEqual([serverPath('part-one')]);
      const packed = bucket.file(serverPath('packed.txt'));
      await packed.save(gzipSync('hello'), { resumable: false, metadata: { contentEncoding: 'gzip' } });
      expect((await packed.download())[0].toString()).toBe('hello');
    });
  });
}
