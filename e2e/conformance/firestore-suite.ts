/** How Firestore behaves, through the web SDK and the Admin SDK. */
import { signInAnonymously } from 'firebase/auth';
import {
  addDoc,
  arrayRemove,
  arrayUnion,
  average,
  type CollectionReference,
  collection,
  type DocumentData,
  deleteDoc,
  deleteField,
  disableNetwork,
  doc,
  enableNetwork,
  getAggregateFromServer,
  getCountFromServer,
  getDoc,
  getDocs,
  getDocsFromServer,
  increment,
  limit,
  limitToLast,
  onSnapshot,
  or,
  orderBy,
  type QuerySnapshot,
  query,
  runTransaction,
  serverTimestamp,
  setDoc,
  startAfter,
  startAt,
  sum,
  Timestamp,
  updateDoc,
  waitForPendingWrites,
  where,
  writeBatch,
} from 'firebase/firestore';
import { FieldValue } from 'firebase-admin/firestore';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import type { Backend, WebClient } from './backend.ts';

export function describeFirestore(backend: Backend): void {
  const { admin, run } = backend;
  let client: WebClient;
  let other: WebClient;
  const path = (name: string) => `conformance/${run}/open/${name}`;
  /** A collection of its own for each test. */
  const room = (name: string, of: WebClient = client) => collection(of.firestore, path(name), 'items');
  const names = (snapshot: QuerySnapshot) => snapshot.docs.map(({ id }) => id);
  const eventually = (condition: () => boolean) => vi.waitUntil(condition, { timeout: 15_000, interval: 20 });

  async function fill(into: CollectionReference<DocumentData>, documents: Record<string, DocumentData>) {
    const batch = writeBatch(into.firestore);
    for (const [id, data] of Object.entries(documents)) batch.set(doc(into, id), data);
    await batch.commit();
    return into;
  }

  describe('Firestore', () => {
    beforeAll(async () => {
      client = backend.connect();
      other = backend.connect();
      await Promise.all([signInAnonymously(client.auth), signInAnonymously(other.auth)]);
    });
    afterAll(async () => {
      const uids = [client, other].map(({ auth }) => auth.currentUser?.uid ?? '');
      await admin.auth.deleteUsers(uids);
    });

    test('set, get, merge, update and delete, field by field', async () => {
      const document = doc(room('writes'), 'a');
      expect((await getDoc(document)).exists()).toBe(false);
      await setDoc(document, { name: 'Ada', tags: ['x'], nested: { one: 1, two: 2 }, gone: true });
      await setDoc(document, { nested: { two: 22, three: 3 } }, { merge: true });
      await updateDoc(document, { 'nested.one': 11, gone: deleteField() });
      expect((await getDoc(document)).data()).toEqual({
        name: 'Ada',
        tags: ['x'],
        nested: { one: 11, two: 22, three: 3 },
      });
      await deleteDoc(document);
      expect((await getDoc(document)).exists()).toBe(false);
      await expect(updateDoc(document, { a: 1 })).rejects.toMatchObject({ code: 'not-found' });
    });

    test('transforms happen on the server', async () => {
      const document = doc(room('transforms'), 'a');
      await setDoc(document, { count: 1, list: ['a', 'b'], when: serverTimestamp() });
      await Promise.all([
        updateDoc(document, { count: increment(2) }),
        updateDoc(doc(room('transforms', other), 'a'), { count: increment(10), list: arrayUnion('b', 'c') }),
      ]);
      await updateDoc(document, { list: arrayRemove('a') });
      const data = (await getDoc(document)).data();
      expect(data).toMatchObject({ count: 13, list: ['b', 'c'] });
      expect(data?.['when']).toBeInstanceOf(Timestamp);
      await admin.firestore.doc(document.path).update({ count: FieldValue.increment(0.5) });
      expect((await getDoc(document)).data()?.['count']).toBe(13.5);
    });

    test('values come back as they were written, and sort by type', async () => {
      const values: DocumentData = {
        n0: null,
        n1: false,
        n2: Number.NaN,
        n3: -1.5,
        n4: 9_007_199_254_740_991,
        n5: new Timestamp(1, 2_000),
        n6: 'text',
        n7: [1, [2].length],
        n8: { a: { b: 1 } },
      };
      const items = await fill(
        room('values'),
        Object.fromEntries(Object.entries(values).map(([id, value]) => [id, { value }])),
      );
      const snapshot = await getDocs(query(items, orderBy('value')));
      expect(names(snapshot)).toEqual(Object.keys(values));
      expect(Object.fromEntries(snapshot.docs.map((each) => [each.id, each.data()['value']]))).toEqual(
        values,
      );
    });

    test('queries filter, order, page by cursors and count', async () => {
      const items = await fill(
        room('queries'),
        Object.fromEntries(
          [0, 1, 2, 3, 4, 5].map((n) => [`d${n}`, { n, even: n % 2 === 0, tags: [`t${n % 3}`] }]),
        ),
      );
      const ids = async (
        ...constraints: Parameters<typeof query> extends [unknown, ...infer Rest] ? Rest : never
      ) => names(await getDocsFromServer(query(items, ...constraints)));
      expect(await ids(where('n', '>=', 2), where('n', '<', 4))).toEqual(['d2', 'd3']);
      expect(await ids(where('n', 'in', [1, 5, 9]))).toEqual(['d1', 'd5']);
      expect(await ids(where('n', 'not-in', [0, 1, 2, 3]))).toEqual(['d4', 'd5']);
      expect(await ids(where('n', '!=', 3))).toEqual(['d0', 'd1', 'd2', 'd4', 'd5']);
      expect(await ids(where('tags', 'array-contains', 't0'))).toEqual(['d0', 'd3']);
      expect(await ids(where('tags', 'array-contains-any', ['t1', 't2']))).toEqual(['d1', 'd2', 'd4', 'd5']);
      expect(names(await getDocs(query(items, or(where('n', '==', 0), where('n', '==', 5)))))).toEqual([
        'd0',
        'd5',
      ]);
      expect(await ids(orderBy('n', 'desc'), limit(2))).toEqual(['d5', 'd4']);
      expect(await ids(orderBy('n'), limitToLast(2))).toEqual(['d4', 'd5']);
      expect(await ids(orderBy('n'), startAt(2), limit(2))).toEqual(['d2', 'd3']);
      const second = await getDoc(doc(items, 'd1'));
      expect(await ids(orderBy('n'), startAfter(second), limit(2))).toEqual(['d2', 'd3']);
      expect((await getCountFromServer(query(items, where('even', '==', true)))).data().count).toBe(3);
      const aggregate = await getAggregateFromServer(items, { total: sum('n'), mean: average('n') });
      expect(aggregate.data()).toEqual({ total: 15, mean: 2.5 });
    });

    test('a listener sees what is there and every change by others, with its kind', async () => {
      const items = await fill(room('listen'), { a: { n: 1 }, b: { n: 2 } });
      const seen: string[] = [];
      // By another client: the writer's own would first show what it has just written itself.
      const watched = query(room('listen', other), where('n', '<', 10), orderBy('n'));
      const stop = onSnapshot(watched, (snapshot) => {
        seen.push(...snapshot.docChanges().map(({ type, doc: changed }) => `${type} ${changed.id}`));
      });
      const until = (count: number) => eventually(() => seen.length >= count);
      await until(2);
      await setDoc(doc(items, 'c'), { n: 0 });
      await until(3);
      await updateDoc(doc(items, 'a'), { n: 99 });
      await until(4);
      await updateDoc(doc(items, 'b'), { n: 3 });
      await until(5);
      stop();
      expect(seen).toEqual(['added a', 'added b', 'added c', 'removed a', 'modified b']);
    });

    test('what is written offline is seen at once, and stored when the network is back', async () => {
      const document = doc(room('offline'), 'a');
      await setDoc(document, { n: 1 });
      const seen: unknown[] = [];
      const stop = onSnapshot(document, { includeMetadataChanges: true }, (snapshot) => {
        seen.push([snapshot.data()?.['n'], snapshot.metadata.hasPendingWrites]);
      });
      await eventually(() => seen.length > 0);
      await disableNetwork(client.firestore);
      const written = updateDoc(document, { n: 2 });
      await eventually(() => seen.some((each) => JSON.stringify(each) === '[2,true]'));
      expect((await getDoc(doc(room('offline', other), 'a'))).data()).toEqual({ n: 1 });
      await enableNetwork(client.firestore);
      await Promise.all([written, waitForPendingWrites(client.firestore)]);
      expect((await getDoc(doc(room('offline', other), 'a'))).data()).toEqual({ n: 2 });
      stop();
    });

    test('transactions do not lose updates, and abort whole', async () => {
      const counter = doc(room('transactions'), 'counter');
      await setDoc(counter, { n: 0 });
      const add = (of: WebClient) =>
        runTransaction(of.firestore, async (transaction) => {
          const reference = doc(of.firestore, counter.path);
          const n = (await transaction.get(reference)).data()?.['n'] as number;
          transaction.update(reference, { n: n + 1 });
        });
      await Promise.all([add(client), add(other), add(client)]);
      await admin.firestore.runTransaction(async (transaction) => {
        const reference = admin.firestore.doc(counter.path);
        transaction.update(reference, {
          n: ((await transaction.get(reference)).data()?.['n'] as number) + 1,
        });
      });
      expect((await getDoc(counter)).data()).toEqual({ n: 4 });
      await expect(
        runTransaction(client.firestore, async (transaction) => {
          transaction.update(counter, { n: 100 });
          throw new Error('changed my mind');
        }),
      ).rejects.toThrow('changed my mind');
      const batch = writeBatch(client.firestore);
      batch.update(counter, { n: 200 });
      batch.update(doc(counter.parent, 'absent'), { n: 1 });
      await expect(batch.commit()).rejects.toMatchObject({ code: 'not-found' });
      expect((await getDoc(counter)).data()).toEqual({ n: 4 });
    });

    test('the Admin SDK: preconditions, create, projections, groups', async () => {
      const items = admin.firestore.collection(`${path('admin')}/items`);
      const { writeTime } = await items.doc('a').create({ n: 1, text: 'x' });
      await expect(items.doc('a').create({ n: 2 })).rejects.toMatchObject({ code: 6 });
      await items.doc('a').update({ n: 2 }, { lastUpdateTime: writeTime });
      await expect(items.doc('a').update({ n: 3 }, { lastUpdateTime: writeTime })).rejects.toMatchObject({
        code: 9,
      });
      const [projected] = (await items.select('n').get()).docs;
      expect(projected?.data()).toEqual({ n: 2 });
      const added = await addDoc(room('admin'), { n: 3 });
      expect(added.id).toMatch(/^[A-Za-z0-9]{20}$/);
      expect((await items.orderBy('n').get()).docs.map((each) => each.data()['n'])).toEqual([2, 3]);
      expect((await items.doc('a').listCollections()).length).toBe(0);
    });
  });
}
