/** Security rules as clients meet them: through the SDKs, with Firebase's own test library against the local services. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  assertFails,
  assertSucceeds,
  initializeTestEnvironment,
  type RulesTestEnvironment,
  type TokenOptions,
} from '@firebase/rules-unit-testing';
import { deleteApp, initializeApp } from 'firebase/app';
import {
  connectAuthEmulator,
  initializeAuth,
  inMemoryPersistence,
  signInAnonymously,
  signOut,
} from 'firebase/auth';
import {
  collection,
  collectionGroup,
  connectFirestoreEmulator,
  deleteDoc,
  doc,
  type Firestore,
  getCountFromServer,
  getDoc,
  getDocs,
  getFirestore,
  limit,
  onSnapshot,
  or,
  orderBy,
  query,
  runTransaction,
  serverTimestamp,
  setDoc,
  setLogLevel,
  updateDoc,
  where,
  writeBatch,
} from 'firebase/firestore';
import {
  type FirebaseStorage,
  getBytes,
  listAll,
  ref,
  updateMetadata,
  uploadBytes,
  uploadString,
} from 'firebase/storage';
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { startAuth } from '../auth/server.ts';
import { type FirestoreServer, startFirestore } from '../firestore/server.ts';
import { silentLogger } from '../logger.ts';
import { type RunningStorage, startStorage } from '../storage/server.ts';

const projectId = 'demo-rules';
/** Long enough for a busy machine: waiting ends as soon as it may. */
const soon = { timeout: 15_000, interval: 20 };

const firestoreRules = `rules_version = '2';
service cloud.firestore {
  match /databases/{database}/documents {
    match /notes/{noteId} {
      allow get: if resource == null || resource.data.owner == request.auth.uid;
      allow list: if resource.data.owner == request.auth.uid && request.query.limit <= 100;
      allow create: if request.resource.data.owner == request.auth.uid
        && request.resource.data.at == request.time;
      allow update: if request.auth.uid == resource.data.owner
        && request.resource.data.diff(resource.data).affectedKeys().hasOnly(['text']);
      allow delete: if request.auth.token.admin == true;
    }
    match /{path=**}/parts/{partId} {
      allow list: if resource.data.visibility in ['public', 'shared'] || request.auth.uid in resource.data.readers;
      allow get: if true;
    }
    match /scores/{scoreId} {
      allow list: if resource.data.points > 10;
    }
    // An order takes from the stock in the same commit.
    match /orders/{orderId} {
      allow create: if getAfter(/databases/$(database)/documents/stock/all).data.left
        == get(/databases/$(database)/documents/stock/all).data.left - 1;
      allow get: if request.auth != null;
    }
    match /stock/{name} {
      allow get: if true;
      allow update: if request.resource.data.left >= 0 && existsAfter(/databases/$(database)/documents/orders/new);
    }
    match /greedy/{id} {
      function has(n) { return exists(/databases/$(database)/documents/things/$(n)); }
      allow get: if [has('a'), has('b'), has('c'), has('d'), has('e'), has('f'), has('g'), has('h'), has('i'), has('a'), has(id)]
        .hasAny([true, false]);
    }
    match /spoken/{id} {
      allow get: if debug(request.auth.token.firebase.sign_in_provider) == 'custom';
    }
  }
}`;

const storageRules = `rules_version = '2';
service firebase.storage {
  match /b/{bucket}/o {
    match /teams/{team}/{file} {
      function isMember() {
        return firestore.get(/databases/(default)/documents/teams/$(team)).data.members.hasAny([request.auth.uid]);
      }
      allow get, list: if isMember();
      allow create: if isMember()
        && request.resource.size < 1000
        && request.resource.contentType.matches('image/.*')
        && request.resource.metadata.by == request.auth.uid
        && (resource == null || resource.metadata.by == request.auth.uid);
      allow update: if isMember() && resource.generation == request.resource.generation
        && request.resource.metadata.by == resource.metadata.by;
    }
    match /teams/{team} {
      allow list: if firestore.exists(/databases/(default)/documents/teams/$(team));
    }
  }
}`;

let folder: string;
let firestoreServer: FirestoreServer;
let storageServer: RunningStorage;
let environment: RulesTestEnvironment;
const logged: { fields: Record<string, unknown>; message: string }[] = [];

beforeAll(async () => {
  setLogLevel('silent');
  folder = mkdtempSync(join(tmpdir(), 'rules-'));
  const logger = {
    ...silentLogger,
    info: (fields: Record<string, unknown>, message: string) => void logged.push({ fields, message }),
  };
  firestoreServer = await startFirestore({ projectId, databaseFile: join(folder, 'firestore.db'), logger });
  storageServer = await startStorage({
    projectId,
    port: 0,
    dataFolder: join(folder, 'storage'),
    // The name that the test library gives to the bucket.
    buckets: { [`${projectId}.appspot.com`]: {}, [projectId]: {} },
    readDocument: firestoreServer.readDocument,
    logger,
  });
  environment = await initializeTestEnvironment({
    projectId,
    firestore: { host: firestoreServer.host, port: firestoreServer.port, rules: firestoreRules },
    storage: { host: storageServer.host, port: storageServer.port, rules: storageRules },
  });
});

afterAll(async () => {
  await environment.cleanup();
  await Promise.all([firestoreServer.close(), storageServer.close()]);
  rmSync(folder, { recursive: true });
});

beforeEach(async () => {
  await environment.clearFirestore();
  await environment.clearStorage();
  logged.length = 0;
});

/** The test library gives the older form of the SDK's objects, which the newer functions take as well. */
function firestoreOf(uid: string | null, claims: TokenOptions = {}): Firestore {
  const context =
    uid === null ? environment.unauthenticatedContext() : environment.authenticatedContext(uid, claims);
  return context.firestore() as unknown as Firestore;
}
function storageOf(uid: string): FirebaseStorage {
  return environment.authenticatedContext(uid).storage() as unknown as FirebaseStorage;
}

/** Writes that no rule stands against. */
async function seed(documents: Record<string, object>): Promise<void> {
  await environment.withSecurityRulesDisabled(async (context) => {
    const firestore = context.firestore() as unknown as Firestore;
    for (const [path, fields] of Object.entries(documents)) await setDoc(doc(firestore, path), fields);
  });
}

const codeOf = (promise: Promise<unknown>) =>
  promise.then(
    () => 'ok',
    (error: { code: string }) => error.code,
  );

describe('documents', () => {
  test('are created, read, changed and deleted as the rules say, by method', async () => {
    const ada = firestoreOf('ada');
    const note = doc(ada, 'notes/n');
    await assertFails(setDoc(note, { owner: 'bob', at: serverTimestamp() }));
    await assertFails(setDoc(note, { owner: 'ada', at: new Date(0) }));
    await assertSucceeds(setDoc(note, { owner: 'ada', at: serverTimestamp(), text: 'a' }));
    await assertSucceeds(getDoc(note));
    await assertFails(getDoc(doc(firestoreOf('bob'), 'notes/n')));
    await assertFails(getDoc(doc(firestoreOf(null), 'notes/n')));
    await assertSucceeds(updateDoc(note, { text: 'b' }));
    await assertFails(updateDoc(note, { text: 'c', owner: 'bob' }));
    await assertFails(deleteDoc(note));
    await assertFails(deleteDoc(doc(firestoreOf('root', { admin: 'yes' }), 'notes/n')));
    await assertSucceeds(deleteDoc(doc(firestoreOf('root', { admin: true }), 'notes/n')));
  });

  test('are not told from missing ones to those who may not change them', async () => {
    await seed({ 'notes/n': { owner: 'ada' } });
    const bob = firestoreOf('bob');
    expect(await codeOf(updateDoc(doc(bob, 'notes/n'), { text: 'b' }))).toBe('permission-denied');
    expect(await codeOf(updateDoc(doc(bob, 'notes/none'), { text: 'b' }))).toBe('permission-denied');
    expect(await codeOf(getDoc(doc(bob, 'notes/none')))).toBe('ok');
  });

  test('a refusal has the words of the cloud, and the log says which line refused', async () => {
    await expect(getDoc(doc(firestoreOf('bob'), 'scores/a'))).rejects.toThrow(
      'Missing or insufficient permissions.',
    );
    await seed({ 'notes/n': { owner: 'ada' } });
    await assertFails(getDoc(doc(firestoreOf('bob'), 'notes/n')));
    expect(logged.at(-1)).toMatchObject({
      message: 'The security rules deny a request',
      fields: { method: 'get', uid: 'bob', reasons: ['rules of cloud.firestore:5: the condition is false.'] },
    });
  });

  test('a listener without permission gets the error', async () => {
    await seed({ 'notes/n': { owner: 'ada' } });
    const listened = (uid: string) =>
      new Promise((resolve, reject) => {
        onSnapshot(doc(firestoreOf(uid), 'notes/n'), resolve, reject);
      });
    expect(await codeOf(listened('ada'))).toBe('ok');
    expect(await codeOf(listened('bob'))).toBe('permission-denied');
  });
});

test('a listener is judged again when its user signs out', async () => {
  const authServer = await startAuth({ projectId, port: 0, databaseFile: join(folder, 'auth.db') });
  const app = initializeApp({ projectId, apiKey: 'local' }, 'signing-out');
  try {
    const auth = initializeAuth(app, { persistence: inMemoryPersistence });
    connectAuthEmulator(auth, `http://127.0.0.1:${authServer.port}`, { disableWarnings: true });
    const { user } = await signInAnonymously(auth);
    await seed({ 'notes/n': { owner: user.uid, text: 'mine' } });
    const firestore = getFirestore(app);
    connectFirestoreEmulator(firestore, firestoreServer.host, firestoreServer.port);
    const seen: unknown[] = [];
    onSnapshot(
      doc(firestore, 'notes/n'),
      (snapshot) => seen.push(snapshot.get('text')),
      (error) => seen.push(error.code),
    );
    await vi.waitUntil(() => seen.length > 0, soon);
    await signOut(auth);
    await vi.waitUntil(() => seen.length > 1, soon);
    expect(seen).toEqual(['mine', 'permission-denied']);
  } finally {
    await deleteApp(app);
    await authServer.close();
  }
});

describe('commits of several writes', () => {
  test('are judged by what the whole commit would leave', async () => {
    await seed({ 'stock/all': { left: 1 } });
    const ada = firestoreOf('ada');
    const order = (left: number, id = 'new') => {
      const batch = writeBatch(ada);
      batch.set(doc(ada, `orders/${id}`), { by: 'ada' });
      batch.update(doc(ada, 'stock/all'), { left });
      return batch.commit();
    };
    await assertFails(setDoc(doc(ada, 'orders/new'), { by: 'ada' }));
    await assertFails(updateDoc(doc(ada, 'stock/all'), { left: 0 }));
    await assertFails(order(-1));
    await assertFails(order(0, 'other'));
    expect((await getDoc(doc(ada, 'stock/all'))).get('left')).toBe(1);
    await assertSucceeds(order(0));
    expect((await getDoc(doc(ada, 'orders/new'))).exists()).toBe(true);
  });

  test('transactions too, and what they only read', async () => {
    await seed({ 'stock/all': { left: 2 }, 'notes/n': { owner: 'bob' } });
    const ada = firestoreOf('ada');
    const order = (readPath: string) =>
      runTransaction(ada, async (transaction) => {
        await transaction.get(doc(ada, readPath));
        const left = (await transaction.get(doc(ada, 'stock/all'))).get('left') as number;
        transaction.update(doc(ada, 'stock/all'), { left: left - 1 });
        transaction.set(doc(ada, 'orders/new'), { by: 'ada' });
      });
    await assertFails(order('notes/n'));
    await assertSucceeds(order('orders/new'));
  });
});

describe('queries', () => {
  test('are allowed for what they could return, not for what they do', async () => {
    await seed({ 'notes/a': { owner: 'ada' }, 'notes/b': { owner: 'ada' } });
    const notes = collection(firestoreOf('ada'), 'notes');
    const mine = where('owner', '==', 'ada');
    expect((await getDocs(query(notes, mine, limit(10)))).size).toBe(2);
    await assertSucceeds(getCountFromServer(query(notes, mine, limit(10))));
    // All documents are hers; the query does not say so.
    await assertFails(getDocs(query(notes, limit(10))));
    await assertFails(getDocs(query(notes, mine)));
    await assertFails(getDocs(query(notes, mine, limit(101))));
    await assertFails(getDocs(query(notes, where('owner', '==', 'bob'), limit(10))));
    await assertFails(getDocs(query(notes, where('owner', 'in', ['ada', 'bob']), limit(10))));
    await assertFails(getDocs(query(notes, or(mine, where('text', '==', 'a')), limit(10))));
    await assertFails(getCountFromServer(query(notes, limit(10))));
  });

  test('every alternative of a filter must be allowed, and collection groups need a rule for any depth', async () => {
    await seed({
      'cars/a/parts/p': { visibility: 'public', readers: ['ada'] },
      'parts/q': { visibility: 'secret' },
    });
    const ada = firestoreOf('ada');
    const parts = collectionGroup(ada, 'parts');
    expect((await getDocs(query(parts, where('visibility', 'in', ['public', 'shared'])))).size).toBe(1);
    expect((await getDocs(query(parts, where('readers', 'array-contains', 'ada')))).size).toBe(1);
    await assertFails(getDocs(query(parts, where('visibility', 'in', ['public', 'secret']))));
    await assertFails(getDocs(query(parts, where('readers', 'array-contains-any', ['ada', 'bob']))));
    await assertFails(getDocs(parts));
    await assertFails(getDocs(query(collectionGroup(ada, 'notes'), where('owner', '==', 'ada'), limit(1))));
    await assertSucceeds(
      getDocs(query(collection(ada, 'cars/a/parts'), where('visibility', '==', 'public'))),
    );
  });

  test('an inequality allows what it implies', async () => {
    const scores = collection(firestoreOf('ada'), 'scores');
    await assertSucceeds(getDocs(query(scores, where('points', '>', 10))));
    await assertSucceeds(getDocs(query(scores, where('points', '>=', 11), orderBy('points', 'desc'))));
    await assertSucceeds(getDocs(query(scores, where('points', '==', 12))));
    await assertFails(getDocs(query(scores, where('points', '>=', 10))));
    await assertFails(getDocs(query(scores, where('points', '<', 20))));
    await assertFails(getDocs(query(scores, orderBy('points'))));
  });
});

describe('limits and looks', () => {
  test('ten documents may be looked up for one request, the same one as often as you like', async () => {
    const ada = firestoreOf('ada');
    await assertSucceeds(getDoc(doc(ada, 'greedy/j')));
    await assertSucceeds(getDoc(doc(ada, 'greedy/a')));
    await environment.withSecurityRulesDisabled(() => Promise.resolve());
    const more = firestoreRules.replace('has(id)]', "has('k'), has(id)]");
    await pushFirestoreRules(more);
    await assertFails(getDoc(doc(ada, 'greedy/j')));
    await pushFirestoreRules(firestoreRules);
  });

  test('debug() shows its argument in the log and goes on', async () => {
    const ada = firestoreOf('ada', { firebase: { sign_in_provider: 'custom', identities: {} } });
    await assertSucceeds(getDoc(doc(ada, 'spoken/a')));
    expect(logged).toContainEqual({
      message: 'debug() of the rules',
      fields: expect.objectContaining({ value: '"custom"' }),
    });
  });

  test('rules that do not compile are refused with line and column, and the old ones stay', async () => {
    await expect(
      pushFirestoreRules('service cloud.firestore {\n  match /a { allow reed; }\n}'),
    ).rejects.toThrow('rules of cloud.firestore:2:20: Expected an operation');
    await expect(
      initializeTestEnvironment({
        projectId,
        storage: { host: storageServer.host, port: storageServer.port, rules: firestoreRules },
      }),
    ).rejects.toThrow('Expected rules for firebase.storage, found cloud.firestore.');
    await assertSucceeds(getDoc(doc(firestoreOf('ada'), 'notes/none')));
  });

  test('a server does not start with rules that do not compile', async () => {
    const options = {
      projectId,
      databaseFile: join(folder, 'other.db'),
      rules: { text: 'service cloud.firestore {' },
    };
    await expect(startFirestore(options)).rejects.toThrow(/rules of cloud.firestore:1:26: Expected/);
  });

  test('REST asks the same rules', async () => {
    await seed({ 'notes/n': { owner: 'ada' } });
    const url = `http://${firestoreServer.host}:${firestoreServer.port}/v1/projects/${projectId}/databases/(default)/documents`;
    const get = (path: string) => fetch(`${url}/${path}`).then(({ status }) => status);
    expect(await Promise.all([get('notes/n'), get('notes/none'), get('notes'), get('parts/x')])).toEqual([
      403, 404, 403, 404,
    ]);
    const remove = await fetch(`${url}/notes/n`, { method: 'DELETE' });
    expect(remove.status).toBe(403);
  });
});

async function pushFirestoreRules(rules: string): Promise<void> {
  const other = await initializeTestEnvironment({
    projectId,
    firestore: { host: firestoreServer.host, port: firestoreServer.port, rules },
  });
  await other.cleanup();
}

describe('objects of Storage', () => {
  const mine = { contentType: 'image/png', customMetadata: { by: 'ada' } };

  test('are written and read as the rules say, which may look into Firestore', async () => {
    await seed({ 'teams/blue': { members: ['ada', 'bob'] } });
    const [ada, bob, eve] = [storageOf('ada'), storageOf('bob'), storageOf('eve')];
    const path = 'teams/blue/a.png';
    await assertSucceeds(uploadString(ref(ada, path), 'bytes', 'raw', mine));
    await assertFails(uploadString(ref(ada, path), 'bytes', 'raw', { ...mine, contentType: 'text/html' }));
    await assertFails(uploadBytes(ref(ada, path), new Uint8Array(1000), mine));
    await assertFails(
      uploadString(ref(bob, path), 'bytes', 'raw', { ...mine, customMetadata: { by: 'bob' } }),
    );
    await assertSucceeds(getBytes(ref(bob, path)));
    await assertFails(getBytes(ref(eve, path)));
    await assertFails(uploadString(ref(eve, 'teams/blue/e.png'), 'x', 'raw', mine));
    await assertFails(uploadString(ref(ada, 'teams/red/a.png'), 'x', 'raw', mine));
    await assertSucceeds(updateMetadata(ref(ada, path), { cacheControl: 'no-store' }));
    await assertFails(updateMetadata(ref(ada, path), { customMetadata: { by: 'eve' } }));
    await assertSucceeds(listAll(ref(ada, 'teams/blue')));
    await assertFails(listAll(ref(ada, 'teams/red')));
    await assertFails(listAll(ref(ada, 'teams')));
  });

  test('a prefix that ends within a name lists nothing for a client', async () => {
    await seed({ 'teams/blue': { members: [] } });
    const list = (prefix: string) =>
      fetch(`${storageServer.url}/v0/b/${projectId}/o?prefix=${prefix}`).then(({ status }) => status);
    expect(await Promise.all([list('teams/blue/'), list('teams/blu'), list('teams/blue')])).toEqual([
      200, 403, 403,
    ]);
  });
});
