/** Our security rules as apps meet them: through the SDKs, with Firebase's test library against the local services. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  assertFails,
  assertSucceeds,
  initializeTestEnvironment,
  type RulesTestEnvironment,
} from '@firebase/rules-unit-testing';
import { COLLECTIONS, SOURCE_MAX_BYTES } from '@firepod/contract';
import { startFirestore, startStorage } from '@firepod/local-firebase';
import {
  collection,
  collectionGroup,
  deleteDoc,
  doc,
  type Firestore,
  getCountFromServer,
  getDoc,
  getDocs,
  limit,
  orderBy,
  query,
  serverTimestamp,
  setDoc,
  setLogLevel,
  updateDoc,
  where,
} from 'firebase/firestore';
import {
  deleteObject,
  type FirebaseStorage,
  getBytes,
  listAll,
  ref,
  uploadBytes,
  uploadBytesResumable,
} from 'firebase/storage';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

const projectId = 'demo-security';
const readRules = (name: string) =>
  readFileSync(fileURLToPath(new URL(`../../firebase/${name}`, import.meta.url)), 'utf8');

let environment: RulesTestEnvironment;
let ada: { firestore: Firestore; storage: FirebaseStorage };
let bob: typeof ada;
let nobody: typeof ada;
let close: () => Promise<unknown>;

beforeAll(async () => {
  setLogLevel('silent');
  const folder = mkdtempSync(join(tmpdir(), 'security-'));
  const firestore = await startFirestore({ projectId, databaseFile: join(folder, 'firestore.db') });
  const storage = await startStorage({
    projectId,
    port: 0,
    dataFolder: join(folder, 'storage'),
    buckets: { [projectId]: {} },
    readDocument: firestore.readDocument,
  });
  environment = await initializeTestEnvironment({
    projectId,
    firestore: { host: firestore.host, port: firestore.port, rules: readRules('firestore.rules') },
    storage: { host: storage.host, port: storage.port, rules: readRules('storage.rules') },
  });
  close = async () => {
    await environment.cleanup();
    await Promise.all([firestore.close(), storage.close()]);
    rmSync(folder, { recursive: true });
  };
  ada = servicesOf(environment.authenticatedContext('ada'));
  bob = servicesOf(environment.authenticatedContext('bob'));
  nobody = servicesOf(environment.unauthenticatedContext());
  await environment.withSecurityRulesDisabled(async (context) => {
    const server = servicesOf(context);
    for (const path of [
      'generations/ada/images/f-1',
      'generations/bob/images/f-2',
      'generations/ada/videos/f-3',
    ]) {
      await setDoc(doc(server.firestore, path), { status: 'completed', created_at: serverTimestamp() });
    }
    for (const name of ['models', 'jobs', 'requests', 'deleted', 'config'] as const) {
      await setDoc(doc(server.firestore, COLLECTIONS[name], 'a'), { id: 'a' });
    }
    await uploadBytes(ref(server.storage, 'generating/ada/image/f-1.png'), new Uint8Array(10));
  });
});

afterAll(() => close());

/** The test library gives the older form of the SDK's objects, which the newer functions take as well. */
function servicesOf(context: ReturnType<RulesTestEnvironment['unauthenticatedContext']>) {
  return {
    firestore: context.firestore() as unknown as Firestore,
    storage: context.storage(`gs://${projectId}`) as unknown as FirebaseStorage,
  };
}

describe('Firestore', () => {
  test('a user reads and lists its own generations and no others', async () => {
    const images = ({ firestore }: typeof ada, userId = 'ada') =>
      collection(firestore, `generations/${userId}/images`);
    await assertSucceeds(getDoc(doc(images(ada), 'f-1')));
    await assertSucceeds(getDoc(doc(ada.firestore, 'generations/ada/videos/f-3')));
    const open = query(images(ada), where('status', 'in', ['queued', 'processing']));
    await assertSucceeds(getCountFromServer(open));
    expect((await getDocs(query(images(ada), orderBy('created_at', 'desc'), limit(20)))).size).toBe(1);
    for (const other of [bob, nobody]) {
      await assertFails(getDoc(doc(images(other), 'f-1')));
      await assertFails(getDocs(images(other)));
    }
    await assertFails(getDocs(images(ada, 'bob')));
    await assertFails(
      getDocs(query(collectionGroup(ada.firestore, 'images'), where('status', '==', 'completed'))),
    );
  });

  test('only servers write generations', async () => {
    const image = doc(ada.firestore, 'generations/ada/images/f-1');
    await assertFails(updateDoc(image, { status: 'queued' }));
    await assertFails(deleteDoc(image));
    await assertFails(setDoc(doc(ada.firestore, 'generations/ada/images/new'), { status: 'completed' }));
  });

  test('a user writes its own marks, in their shape', async () => {
    const mark = doc(ada.firestore, 'generations/ada/marks/f-1');
    const created = { media_type: 'image', created_at: new Date() };
    await assertSucceeds(setDoc(mark, { ...created, favorite: true }));
    await assertSucceeds(setDoc(mark, { title: 'Sea', trashed_at: serverTimestamp() }, { merge: true }));
    await assertSucceeds(updateDoc(mark, { trashed_at: null }));
    await assertFails(updateDoc(mark, { media_type: 'video' }));
    await assertFails(updateDoc(mark, { status: 'completed' }));
    await assertFails(updateDoc(mark, { favorite: 'yes' }));
    await assertFails(setDoc(doc(bob.firestore, mark.path), created));
    await assertSucceeds(deleteDoc(mark));
  });

  test('model cards are for whoever is signed in, and the rest is for servers', async () => {
    await assertSucceeds(getDocs(collection(bob.firestore, COLLECTIONS.models)));
    await assertFails(getDocs(collection(nobody.firestore, COLLECTIONS.models)));
    for (const name of ['jobs', 'requests', 'deleted', 'config'] as const) {
      const record = doc(ada.firestore, COLLECTIONS[name], 'a');
      await assertFails(getDoc(record));
      await assertFails(setDoc(record, { id: 'b' }));
      await assertFails(getDocs(collection(ada.firestore, COLLECTIONS[name])));
    }
  });
});

describe('Storage', () => {
  const png = { contentType: 'image/png' };

  test('a user uploads images as its own sources, up to the limit, and takes them back', async () => {
    const source = ref(ada.storage, 'generating/ada/source/cat.png');
    await assertSucceeds(uploadBytes(source, new Uint8Array(1000), png));
    // Announced before its bytes are sent.
    await assertFails(uploadBytesResumable(source, new Uint8Array(SOURCE_MAX_BYTES + 1), png).then());
    await assertFails(uploadBytes(source, new Uint8Array(1000), { contentType: 'text/html' }));
    await assertFails(uploadBytes(ref(ada.storage, 'generating/ada/image/x.png'), new Uint8Array(1), png));
    await assertFails(uploadBytes(ref(bob.storage, 'generating/ada/source/x.png'), new Uint8Array(1), png));
    await assertFails(
      uploadBytes(ref(nobody.storage, 'generating/ada/source/x.png'), new Uint8Array(1), png),
    );
    await assertFails(deleteObject(ref(bob.storage, source.fullPath)));
    await assertSucceeds(deleteObject(source));
  });

  test('a user reads and lists its own files, and nobody another’s', async () => {
    await assertSucceeds(getBytes(ref(ada.storage, 'generating/ada/image/f-1.png')));
    expect((await listAll(ref(ada.storage, 'generating/ada/image'))).items).toHaveLength(1);
    for (const { storage } of [bob, nobody]) {
      await assertFails(getBytes(ref(storage, 'generating/ada/image/f-1.png')));
      await assertFails(listAll(ref(storage, 'generating/ada/image')));
      await assertFails(listAll(ref(storage, 'generating')));
    }
  });
});
