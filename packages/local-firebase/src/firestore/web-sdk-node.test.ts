/** The unmodified web SDK in Node: the full one over gRPC, the lite one over REST, with users' tokens. */
import { deleteApp, type FirebaseApp, initializeApp } from 'firebase/app';
import {
  collection,
  collectionGroup,
  connectFirestoreEmulator,
  deleteDoc,
  doc,
  type Firestore,
  getDoc,
  getDocs,
  initializeFirestore,
  memoryLocalCache,
  memoryLruGarbageCollector,
  onSnapshot,
  query,
  runTransaction,
  setDoc,
  setLogLevel,
  updateDoc,
  where,
  writeBatch,
} from 'firebase/firestore';
import * as lite from 'firebase/firestore/lite';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { rulesWith, startTemporaryServer, type TemporaryServer } from './temporary-server.ts';

/** Long enough for a busy machine: waiting ends as soon as it may. */
const SOON = { timeout: 10_000, interval: 10 };

let server: TemporaryServer;
let database: Firestore;
const apps: FirebaseApp[] = [];

beforeAll(async () => {
  // The SDK writes each refusal that these tests ask for to the console.
  setLogLevel('silent');
  lite.setLogLevel('silent');
  server = await startTemporaryServer({
    rules: rulesWith(`
      match /users/{userId}/{rest=**} { allow read, write: if request.auth.uid == userId; }
      match /models/{modelId} { allow read: if request.auth != null; }
      match /public/{rest=**} { allow read; }
    `),
  });
});

afterAll(async () => {
  await server.close();
});

beforeEach(() => {
  database = connect('u1');
});

afterEach(async () => {
  await Promise.all(apps.splice(0).map(deleteApp));
});

function newApp(): FirebaseApp {
  const app = initializeApp({ projectId: server.projectId, apiKey: 'local' }, `app-${Math.random()}`);
  apps.push(app);
  return app;
}

function connect(uid: string | null): Firestore {
  const localCache = memoryLocalCache({ garbageCollector: memoryLruGarbageCollector() });
  const firestore = initializeFirestore(newApp(), { localCache });
  const options = uid === null ? {} : { mockUserToken: { sub: uid } };
  connectFirestoreEmulator(firestore, server.host, server.port, options);
  return firestore;
}

const codeOf = (promise: Promise<unknown>) =>
  promise.then(
    () => 'ok',
    (error: { code: string }) => error.code,
  );

describe('access', () => {
  test('a user reaches its own documents and nobody else does', async () => {
    expect(await codeOf(setDoc(doc(database, 'users/u1/images/a'), { n: 1 }))).toBe('ok');
    expect((await getDocs(collection(database, 'users/u1/images'))).size).toBe(1);
    for (const other of [connect('u2'), connect(null)]) {
      expect(await codeOf(getDoc(doc(other, 'users/u1/images/a')))).toBe('permission-denied');
      expect(await codeOf(getDocs(collection(other, 'users/u1/images')))).toBe('permission-denied');
      expect(await codeOf(setDoc(doc(other, 'users/u1/images/a'), { n: 2 }))).toBe('permission-denied');
    }
  });

  test('lists are checked as a whole and collection groups are closed', async () => {
    expect(await codeOf(getDocs(collection(database, 'models')))).toBe('ok');
    expect(await codeOf(getDocs(collection(connect(null), 'models')))).toBe('permission-denied');
    expect(await codeOf(getDocs(collection(connect(null), 'public/a/b')))).toBe('ok');
    expect(await codeOf(getDocs(collection(database, 'users')))).toBe('permission-denied');
    expect(await codeOf(getDocs(collectionGroup(database, 'images')))).toBe('permission-denied');
    expect(await codeOf(setDoc(doc(database, 'models/a'), {}))).toBe('permission-denied');
  });

  test('batches and transactions are checked write by write', async () => {
    const batch = writeBatch(database);
    batch.set(doc(database, 'users/u1/batch/a'), { n: 1 });
    batch.set(doc(database, 'users/u2/batch/a'), { n: 1 });
    expect(await codeOf(batch.commit())).toBe('permission-denied');
    expect((await getDoc(doc(database, 'users/u1/batch/a'))).exists()).toBe(false);
    const outcome = codeOf(
      runTransaction(database, async (transaction) => {
        await transaction.get(doc(database, 'models/m'));
        transaction.set(doc(database, 'models/m'), {});
      }),
    );
    expect(await outcome).toBe('permission-denied');
  });
});

describe('transactions', () => {
  test('one that reads and does not write verifies what it read', async () => {
    const reference = doc(database, 'users/u1/verified/a');
    await setDoc(reference, { n: 1 });
    let attempts = 0;
    const sum = await runTransaction(database, async (transaction) => {
      attempts++;
      const first = (await transaction.get(reference)).get('n') as number;
      if (attempts === 1) await updateDoc(doc(connect('u1'), reference.path), { n: 5 });
      transaction.set(doc(database, 'users/u1/verified/sum'), { first });
      return first;
    });
    // Without Write.verify the commit of the first attempt would have gone through with 1.
    expect({ attempts, sum }).toEqual({ attempts: 2, sum: 5 });
  });

  test('contended increments all arrive', async () => {
    const reference = doc(database, 'users/u1/contended/a');
    await setDoc(reference, { n: 0 });
    const increment = () =>
      runTransaction(
        database,
        async (transaction) => {
          const n = (await transaction.get(reference)).get('n') as number;
          transaction.update(reference, { n: n + 1 });
        },
        { maxAttempts: 60 },
      );
    await Promise.all(Array.from({ length: 20 }, increment));
    expect((await getDoc(reference)).get('n')).toBe(20);
  });
});

describe('listeners', () => {
  test('a document in two targets arrives once in each, and leaves the one that it no longer matches', async () => {
    const list = collection(database, 'users/u1/targets');
    const open: string[][] = [];
    const all: string[][] = [];
    const stops = [
      onSnapshot(query(list, where('open', '==', true)), (snapshot) =>
        open.push(snapshot.docs.map(({ id }) => id)),
      ),
      onSnapshot(list, (snapshot) => all.push(snapshot.docs.map(({ id }) => id))),
    ];
    await expect.poll(() => [open, all], SOON).toEqual([[[]], [[]]]);
    const writer = connect('u1');
    await setDoc(doc(writer, 'users/u1/targets/a'), { open: true });
    await expect.poll(() => [open.at(-1), all.at(-1)], SOON).toEqual([['a'], ['a']]);
    await updateDoc(doc(writer, 'users/u1/targets/a'), { open: false });
    await expect.poll(() => open.at(-1), SOON).toEqual([]);
    await deleteDoc(doc(writer, 'users/u1/targets/a'));
    await expect.poll(() => all.at(-1), SOON).toEqual([]);
    for (const stop of stops) stop();
  });

  test('a listener that comes back after others wrote is shown what changed', async () => {
    const list = collection(database, 'users/u1/again');
    await setDoc(doc(list, 'a'), { n: 1 });
    await setDoc(doc(list, 'b'), { n: 1 });
    const first = new Promise<void>((resolve) => {
      const stop = onSnapshot(list, { includeMetadataChanges: true }, (snapshot) => {
        if (snapshot.size < 2 || snapshot.metadata.fromCache) return;
        stop();
        resolve();
      });
    });
    await first;
    const writer = connect('u1');
    await deleteDoc(doc(writer, 'users/u1/again/a'));
    await setDoc(doc(writer, 'users/u1/again/c'), { n: 1 });
    const seen: string[][] = [];
    const stop = onSnapshot(list, { includeMetadataChanges: true }, (snapshot) => {
      if (!snapshot.metadata.fromCache) seen.push(snapshot.docs.map(({ id }) => id));
    });
    await expect.poll(() => seen.at(-1), SOON).toEqual(['b', 'c']);
    stop();
  });

  test('reserved ids are refused on listen as on write', async () => {
    const refused = new Promise<string>((resolve) => {
      onSnapshot(
        doc(database, 'users/u1/__reserved__/a'),
        () => resolve('shown'),
        (error) => resolve(error.code),
      );
    });
    expect(await refused).toBe('invalid-argument');
    expect(await codeOf(setDoc(doc(database, 'users/u1/__reserved__/a'), {}))).toBe('invalid-argument');
  });
});

test('the lite SDK reads, queries, writes, transacts and counts over REST', async () => {
  const firestore = lite.getFirestore(newApp());
  lite.connectFirestoreEmulator(firestore, server.host, server.port, { mockUserToken: { sub: 'u1' } });
  const list = lite.collection(firestore, 'users/u1/lite');
  await lite.setDoc(lite.doc(list, 'a-:b'), { n: 1, big: 2 ** 53, none: null, negative: -0 });
  await lite.setDoc(lite.doc(list, 'c'), {
    n: 2,
    at: lite.serverTimestamp(),
    bytes: lite.Bytes.fromBase64String('AQID'),
  });
  const first = (await lite.getDoc(lite.doc(list, 'a-:b'))).data()!;
  expect(first).toMatchObject({ n: 1, big: 2 ** 53, none: null });
  expect(Object.is(first['negative'], -0)).toBe(true);
  const found = await lite.getDocs(lite.query(list, lite.where('n', '>', 1)));
  expect(found.docs.map((snapshot) => snapshot.get('bytes').toBase64())).toEqual(['AQID']);
  await lite.runTransaction(firestore, async (transaction) => {
    const snapshot = await transaction.get(lite.doc(list, 'c'));
    transaction.update(snapshot.ref, { n: snapshot.get('n') + 1 });
  });
  expect((await lite.getCount(lite.query(list, lite.where('n', '==', 3)))).data().count).toBe(1);
  const denied = lite.getDoc(lite.doc(firestore, 'users/u2/lite/a'));
  await expect(denied).rejects.toMatchObject({ code: 'permission-denied' });
});
