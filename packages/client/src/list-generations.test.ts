import { generationPath, type MediaType } from '@firepod/contract';
import fc from 'fast-check';
import { doc, serverTimestamp, setDoc, Timestamp } from 'firebase/firestore';
import { Timestamp as AdminTimestamp } from 'firebase-admin/firestore';
import { afterAll, beforeAll, expect, test } from 'vitest';
import {
  type ConnectedApp,
  eventually,
  type LocalFirebase,
  startLocalFirebase,
} from '../test/local-firebase.ts';
import type { FirepodGeneration } from './generation.ts';
import { type ListOptions, listGenerations, mergeNewest } from './list-generations.ts';

let firebase: LocalFirebase;

beforeAll(async () => {
  firebase = await startLocalFirebase();
});
afterAll(() => firebase.close());

/** Collects what a list shows: the ids of each call. */
function follow(app: ConnectedApp, options: ListOptions = {}) {
  const lists: (readonly FirepodGeneration[])[] = [];
  const errors: string[] = [];
  const stop = listGenerations(
    app,
    options,
    (list) => lists.push(list),
    ({ code }) => errors.push(code),
  );
  return { lists, errors, stop, ids: () => lists.at(-1)?.map(({ file_uid }) => file_uid) };
}

async function write(userId: string, mediaType: MediaType, fileUid: string, createdAtMs: number) {
  await firebase.adminFirestore.doc(generationPath(userId, mediaType, fileUid)).set({
    status: 'queued',
    created_at: AdminTimestamp.fromMillis(createdAtMs),
    request_data: { prompt: fileUid },
  });
}

test('images and videos are one list, newest first, and it is live', async () => {
  const app = await firebase.connect();
  await write(app.userId, 'image', 'image-1', 1000);
  await write(app.userId, 'video', 'video-2', 2000);
  await write(app.userId, 'image', 'image-3', 3000);
  const list = follow(app);
  await eventually(() => list.lists.length > 0);
  expect(list.ids()).toEqual(['image-3', 'video-2', 'image-1']);
  expect(list.lists[0]?.[1]?.reference).toEqual({
    file_uid: 'video-2',
    user_id: app.userId,
    media_type: 'video',
    path: `generations/${app.userId}/videos/video-2`,
  });
  await write(app.userId, 'video', 'video-4', 4000);
  await eventually(() => list.ids()?.includes('video-4') === true);
  expect(list.ids()).toEqual(['video-4', 'image-3', 'video-2', 'image-1']);
  list.stop();
});

test('a list holds at most as many as asked for, of the media type asked for', async () => {
  const app = await firebase.connect();
  for (const second of [1, 2, 3]) {
    await write(app.userId, 'image', `image-${second}`, second * 1000);
    await write(app.userId, 'video', `video-${second}`, second * 1000 + 500);
  }
  const both = follow(app, { limit: 3 });
  const images = follow(app, { mediaType: 'image', limit: 2 });
  await eventually(() => both.lists.length > 0 && images.lists.length > 0);
  expect(both.ids()).toEqual(['video-3', 'image-3', 'video-2']);
  expect(images.ids()).toEqual(['image-3', 'image-2']);
  both.stop();
  images.stop();
});

test('a generation whose server timestamp is still on its way stands first at once', async () => {
  const app = await firebase.connect();
  await write(app.userId, 'image', 'old', 1000);
  const list = follow(app, { mediaType: 'image' });
  await eventually(() => list.lists.length > 0);
  // The table of paths lets clients write nothing: the list shows the write until the server has refused it.
  const refused = setDoc(doc(app.firestore, generationPath(app.userId, 'image', 'new')), {
    status: 'queued',
    created_at: serverTimestamp(),
  });
  await expect(refused).rejects.toMatchObject({ code: 'permission-denied' });
  await eventually(() => list.lists.length === 3);
  list.stop();
  expect(list.lists.map((shown) => shown.map(({ file_uid }) => file_uid))).toEqual([
    ['old'],
    ['new', 'old'],
    ['old'],
  ]);
  expect(list.lists[1]?.[0]?.created_at).toBeInstanceOf(Timestamp);
});

test("documents in other collections, of other users or of nobody's format are not in the list", async () => {
  const app = await firebase.connect();
  const other = await firebase.connect();
  await write(other.userId, 'image', 'foreign', 3000);
  await write(app.userId, 'image', 'own', 1000);
  await firebase.adminFirestore
    .doc(`generations/${app.userId}/images/no_file_uid`)
    .set({ status: 'queued', created_at: AdminTimestamp.now() });
  await firebase.adminFirestore
    .doc(`generations/${app.userId}/images/no-status`)
    .set({ created_at: AdminTimestamp.now() });
  const list = follow(app);
  await eventually(() => list.lists.length > 0);
  list.stop();
  expect(list.ids()).toEqual(['own']);
});

test('nobody signed in has no list', async () => {
  const list = follow(await firebase.connect({ isSignedIn: false }));
  await eventually(() => list.errors.length > 0);
  expect(list.errors).toEqual(['signed_out']);
  expect(list.lists).toEqual([]);
});

test('a list that is ended before it began calls nothing', async () => {
  const app = await firebase.connect();
  const ended = follow(app);
  ended.stop();
  const other = follow(app);
  await eventually(() => other.lists.length > 0);
  other.stop();
  expect(ended.lists).toEqual([]);
});

test('merging keeps the newest of all, in one order, however they were split', () => {
  const times = fc.option(fc.record({ seconds: fc.nat(5), nanoseconds: fc.nat(3) }));
  const ids = fc.uniqueArray(fc.stringMatching(/^[a-f]{1,4}$/), { maxLength: 12 });
  fc.assert(
    fc.property(ids, fc.infiniteStream(times), fc.nat(12), fc.nat(12), (fileUids, stream, cut, maximum) => {
      const generations = fileUids.map((file_uid) => {
        const time = stream.next().value;
        const created_at = time === null ? null : new Timestamp(time.seconds, time.nanoseconds);
        return { file_uid, created_at } as FirepodGeneration;
      });
      const merged = mergeNewest([generations.slice(0, cut), generations.slice(cut)], maximum);
      expect(merged).toHaveLength(Math.min(maximum, generations.length));
      expect(mergeNewest([[...generations].reverse()], maximum)).toEqual(merged);
      const moments = merged.map(({ created_at }) => created_at?.toMillis() ?? 0);
      expect(moments).toEqual([...moments].sort((a, b) => b - a));
    }),
  );
});
