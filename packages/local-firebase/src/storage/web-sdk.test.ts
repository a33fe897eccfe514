import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { deleteApp, type FirebaseApp, initializeApp } from 'firebase/app';
import {
  connectStorageEmulator,
  deleteObject,
  type FirebaseStorage,
  getBytes,
  getDownloadURL,
  getMetadata,
  getStorage,
  list,
  listAll,
  ref,
  updateMetadata,
  uploadBytes,
  uploadBytesResumable,
  uploadString,
} from 'firebase/storage';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type RunningStorage, startStorage } from './server.ts';

const folder = mkdtempSync(join(tmpdir(), 'storage-web-'));
const apps: FirebaseApp[] = [];
let server: RunningStorage;
let mine: FirebaseStorage;
let others: FirebaseStorage;
let nobodys: FirebaseStorage;

function connect(uid: string | null): FirebaseStorage {
  const app = initializeApp(
    { projectId: 'demo-storage', apiKey: 'k', storageBucket: 'demo.app' },
    `storage-web-${uid}`,
  );
  apps.push(app);
  const storage = getStorage(app);
  const mockUserToken = uid === null ? {} : { mockUserToken: { user_id: uid } };
  connectStorageEmulator(storage, server.host, server.port, mockUserToken);
  return storage;
}

beforeAll(async () => {
  server = await startStorage({
    port: 0,
    projectId: 'demo-storage',
    dataFolder: folder,
    buckets: { 'demo.app': {} },
    rules: {
      text: `rules_version = '2';
        service firebase.storage { match /b/{bucket}/o {
          match /users/{userId}/{rest=**} { allow read, write: if request.auth.uid == userId; }
        } }`,
    },
  });
  mine = connect('u1');
  others = connect('u2');
  nobodys = connect(null);
});

afterAll(async () => {
  await Promise.all(apps.map(deleteApp));
  await server.close();
  rmSync(folder, { recursive: true });
});

describe('Storage under the web SDK', () => {
  test('takes a file in one request and gives it back by SDK and by its URL', async () => {
    const object = ref(mine, 'users/u1/ä b.png');
    const bytes = randomBytes(100_000);
    const { metadata } = await uploadBytes(object, bytes, {
      contentType: 'image/png',
      customMetadata: { seed: '7', firebaseStorageDownloadTokens: 'smuggled' },
    });
    expect(metadata).toMatchObject({ fullPath: 'users/u1/ä b.png', size: 100_000, contentType: 'image/png' });
    expect(metadata.customMetadata).toEqual({ seed: '7' });
    expect(metadata.contentDisposition).toBe("inline; filename*=utf-8''%C3%A4%20b.png");
    expect(Buffer.from(await getBytes(object)).equals(bytes)).toBe(true);
    const url = await getDownloadURL(object);
    expect(url).not.toContain('smuggled');
    const answer = await fetch(url);
    expect(answer.headers.get('content-type')).toBe('image/png');
    expect(Buffer.from(await answer.arrayBuffer()).equals(bytes)).toBe(true);
  });

  test('takes a file in resumable pieces, with rising progress', async () => {
    const object = ref(mine, 'users/u1/large.bin');
    const bytes = randomBytes(1_000_000);
    const progress: number[] = [];
    const task = uploadBytesResumable(object, bytes);
    task.on('state_changed', ({ bytesTransferred }) => {
      progress.push(bytesTransferred);
    });
    await task;
    expect(progress.length).toBeGreaterThan(2);
    expect(progress).toEqual([...progress].sort((one, other) => one - other));
    expect(Buffer.from(await getBytes(object)).equals(bytes)).toBe(true);
  });

  test('a paused upload goes on where it stopped; a cancelled one leaves nothing', async () => {
    const object = ref(mine, 'users/u1/paused.bin');
    const bytes = randomBytes(2_000_000);
    const task = uploadBytesResumable(object, bytes);
    await new Promise<void>((resolve) => {
      const stop = task.on('state_changed', ({ bytesTransferred }) => {
        if (bytesTransferred === 0 || !task.pause()) return;
        stop();
        resolve();
      });
    });
    await expect(getMetadata(object)).rejects.toMatchObject({ code: 'storage/object-not-found' });
    task.resume();
    await task;
    expect(Buffer.from(await getBytes(object)).equals(bytes)).toBe(true);

    const cancelled = uploadBytesResumable(ref(mine, 'users/u1/cancelled.bin'), bytes);
    cancelled.cancel();
    await expect(cancelled.then()).rejects.toMatchObject({ code: 'storage/canceled' });
    await expect(getMetadata(ref(mine, 'users/u1/cancelled.bin'))).rejects.toMatchObject({
      code: 'storage/object-not-found',
    });
  });

  test('reads and changes metadata', async () => {
    const object = ref(mine, 'users/u1/metadata.txt');
    await uploadString(object, 'aGVsbG8=', 'base64', {
      contentType: 'text/plain',
      customMetadata: { a: '1' },
    });
    await updateMetadata(object, { cacheControl: 'no-store', customMetadata: { b: '2' } });
    expect(await getMetadata(object)).toMatchObject({
      contentType: 'text/plain',
      cacheControl: 'no-store',
      customMetadata: { a: '1', b: '2' },
      size: 5,
    });
    const [url, changed] = [await getDownloadURL(object), await getDownloadURL(object)];
    expect(url).toBe(changed);
  });

  test('lists folders and pages of the own path', async () => {
    for (const name of ['a', 'b', 'c', 'sub/d']) await uploadString(ref(mine, `users/u1/list/${name}`), 'x');
    const all = await listAll(ref(mine, 'users/u1/list'));
    expect(all.items.map(({ name }) => name)).toEqual(['a', 'b', 'c']);
    expect(all.prefixes.map(({ name }) => name)).toEqual(['sub']);
    const first = await list(ref(mine, 'users/u1/list'), { maxResults: 2 });
    expect(first.items.map(({ name }) => name)).toEqual(['a', 'b']);
    const pageToken = first.nextPageToken ?? null;
    const second = await list(ref(mine, 'users/u1/list'), { maxResults: 2, pageToken });
    expect(second.items.map(({ name }) => name)).toEqual(['c']);
  });

  test('deletes, once', async () => {
    const object = ref(mine, 'users/u1/gone.txt');
    await uploadString(object, 'x');
    await deleteObject(object);
    const code = 'storage/object-not-found';
    await expect(deleteObject(object)).rejects.toMatchObject({ code });
    await expect(getDownloadURL(object)).rejects.toMatchObject({ code });
  });

  test.each(['u2', null])('keeps %s out of the path of u1, in every call', async (uid) => {
    await uploadString(ref(mine, 'users/u1/private.txt'), 'x');
    const storage = uid === null ? nobodys : others;
    const object = ref(storage, 'users/u1/private.txt');
    const calls = [
      () => getBytes(object),
      () => getMetadata(object),
      () => getDownloadURL(object),
      () => updateMetadata(object, { cacheControl: 'no-store' }),
      () => deleteObject(object),
      () => uploadString(object, 'y'),
      () => uploadBytesResumable(object, randomBytes(300_000)).then(),
      () => listAll(ref(storage, 'users/u1')),
      () => listAll(ref(storage)),
    ];
    for (const call of calls) await expect(call()).rejects.toMatchObject({ code: 'storage/unauthorized' });
    expect(Buffer.from(await getBytes(ref(mine, 'users/u1/private.txt'))).toString()).toBe('x');
  });

  test('takes a token of another project for no token at all', async () => {
    const token = `Firebase ${['{"alg":"none"}', '{"sub":"u1","aud":"demo-other","iss":"x","iat":0,"exp":0}']
      .map((part) => Buffer.from(part).toString('base64url'))
      .join('.')}.`;
    const answer = await fetch(`${server.url}/v0/b/demo.app/o/users%2Fu1%2Fprivate.txt`, {
      headers: { authorization: token },
    });
    expect(answer.status).toBe(401);
  });
});
