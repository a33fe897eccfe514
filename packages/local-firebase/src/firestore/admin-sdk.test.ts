/** The unmodified Admin SDK over gRPC: writes, transforms, transactions, queries, listeners. */
import { generateKeyPairSync } from 'node:crypto';
import { cert, initializeApp } from 'firebase-admin/app';
import {
  AggregateField,
  type DocumentSnapshot,
  FieldPath,
  FieldValue,
  Filter,
  type Firestore,
  GeoPoint,
  getFirestore,
  initializeFirestore,
  type QuerySnapshot,
  Timestamp,
} from 'firebase-admin/firestore';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startTemporaryServer, type TemporaryServer } from './temporary-server.ts';
import { DEFAULT_TRANSACTION_LIMITS } from './transactions.ts';

/** Long enough for a busy machine: waiting ends as soon as it may. */
const SOON = { timeout: 10_000, interval: 10 };

let server: TemporaryServer;
let database: Firestore;

beforeAll(async () => {
  // Turns as long as a busy machine needs for twenty transactions.
  server = await startTemporaryServer({ transactions: { ...DEFAULT_TRANSACTION_LIMITS, turnMs: 15_000 } });
  process.env['FIRESTORE_EMULATOR_HOST'] = `${server.host}:${server.port}`;
  database = getFirestore(initializeApp({ projectId: server.projectId }, 'admin-test'));
});

afterAll(async () => {
  await database.terminate();
  await server.close();
});

describe('documents', () => {
  test('every type of value comes back as it was written', async () => {
    const reference = database.doc('values/all');
    const value = {
      nothing: null,
      yes: true,
      no: false,
      integer: Number.MAX_SAFE_INTEGER,
      double: 0.1,
      infinite: Number.NEGATIVE_INFINITY,
      text: 'a\u0000b 😀 \uffff',
      empty: '',
      bytes: Buffer.from([0, 255, 1]),
      time: new Timestamp(1_600_000_000, 123_456_000),
      place: new GeoPoint(-33.9, 151.2),
      reference: database.doc('values/other'),
      list: [1, 'two', { three: [] }],
      map: { 'with.dot': { deep: null }, 'with`quote': 1, empty: {} },
      vector: FieldValue.vector([1, 2.5]),
    };
    await reference.set(value);
    expect((await reference.get()).data()).toEqual(value);
    const special = database.doc('values/special');
    await special.set({ nan: Number.NaN, negativeZero: -0 });
    const { nan, negativeZero } = (await special.get()).data()!;
    expect(nan).toBeNaN();
    expect(Object.is(negativeZero, -0)).toBe(true);
  });

  test('create, update, merge and delete keep to their preconditions', async () => {
    const reference = database.doc('writes/a');
    await expect(reference.update({ n: 1 })).rejects.toMatchObject({ code: 5 });
    const created = await reference.create({ n: 1, map: { a: 1, b: 2 } });
    await expect(reference.create({ n: 2 })).rejects.toMatchObject({ code: 6 });
    await reference.update({ 'map.b': FieldValue.delete(), 'map.c': 3, n: 2 });
    await reference.set({ map: { d: 4 } }, { merge: true });
    expect((await reference.get()).data()).toEqual({ n: 2, map: { a: 1, c: 3, d: 4 } });
    await expect(reference.update({ n: 9 }, { lastUpdateTime: created.writeTime })).rejects.toMatchObject({
      code: 9,
    });
    const { updateTime } = await reference.get();
    const { writeTime } = await reference.update({ n: 3 }, { lastUpdateTime: updateTime! });
    expect((await reference.get()).updateTime!.isEqual(writeTime)).toBe(true);
    await expect(reference.delete({ exists: true })).resolves.toBeDefined();
    await expect(reference.delete({ exists: true })).rejects.toMatchObject({ code: 5 });
    await expect(reference.delete()).resolves.toBeDefined();
  });

  test('transforms compute from what is stored, and server time is one and in milliseconds', async () => {
    const reference = database.doc('writes/transforms');
    await reference.set({ n: 1, list: [1, 2, 2], at: FieldValue.serverTimestamp() });
    await reference.update({
      n: FieldValue.increment(1.5),
      list: FieldValue.arrayUnion(2, 3),
      fresh: FieldValue.increment(5),
      at: FieldValue.serverTimestamp(),
      nested: { at: FieldValue.serverTimestamp() },
    });
    const data = (await reference.get()).data()!;
    expect(data).toMatchObject({ n: 2.5, list: [1, 2, 2, 3], fresh: 5 });
    expect(data['at'].isEqual(data['nested'].at)).toBe(true);
    expect(data['at'].nanoseconds % 1_000_000).toBe(0);
    await reference.update({ list: FieldValue.arrayRemove(2) });
    expect((await reference.get()).get('list')).toEqual([1, 3]);
  });

  test('a write that changes nothing keeps the update time', async () => {
    const reference = database.doc('writes/same');
    const first = await reference.set({ a: 1, b: { c: [1] } });
    const second = await reference.set({ b: { c: [1] }, a: 1 });
    expect(second.writeTime.isEqual(first.writeTime)).toBe(true);
    const third = await reference.set({ a: 1.5, b: { c: [1] } });
    expect(third.writeTime.toMillis()).toBeGreaterThanOrEqual(first.writeTime.toMillis());
    expect(third.writeTime.isEqual(first.writeTime)).toBe(false);
  });

  test('a batch is all or nothing', async () => {
    const batch = database.batch();
    batch.set(database.doc('batch/a'), { n: 1 });
    batch.update(database.doc('batch/missing'), { n: 1 });
    await expect(batch.commit()).rejects.toMatchObject({ code: 5 });
    expect((await database.doc('batch/a').get()).exists).toBe(false);
  });

  test('an update after a delete in the same commit is an invalid argument, not a missing document', async () => {
    const reference = database.doc('batch/twice');
    await reference.set({ n: 1 });
    const batch = database.batch();
    batch.delete(reference);
    batch.update(reference, { n: 2 });
    await expect(batch.commit()).rejects.toMatchObject({ code: 3 });
    expect((await reference.get()).data()).toEqual({ n: 1 });
  });

  test('names and sizes beyond the limits are refused', async () => {
    for (const id of ['.', '..', '__reserved__', 'x'.repeat(1501)]) {
      await expect(database.doc(`limits/${id}`).set({}), id).rejects.toMatchObject({ code: 3 });
      await expect(database.doc(`limits/${id}`).get(), id).rejects.toMatchObject({ code: 3 });
    }
    await database.doc('limits/large').set({ text: 'x'.repeat(1_048_000) });
    await expect(database.doc('limits/larger').set({ text: 'x'.repeat(1_048_576) })).rejects.toMatchObject({
      code: 3,
      message: expect.stringContaining('exceeds the maximum allowed size of 1,048,576 bytes'),
    });
    let deep: object = { end: 1 };
    for (let level = 0; level < 20; level++) deep = { deep };
    await expect(database.doc('limits/deep').set(deep)).rejects.toMatchObject({ code: 3 });
  });

  test('collections and documents without contents of their own are listed', async () => {
    await database.doc('tree/parent/below/child').set({});
    await database.doc('tree/parent-b').set({});
    await database.doc('tree/parent0').set({});
    expect((await database.doc('tree/parent').listCollections()).map(({ id }) => id)).toEqual(['below']);
    expect((await database.listCollections()).map(({ id }) => id)).toContain('tree');
    const documents = await database.collection('tree').listDocuments();
    expect(documents.map(({ id }) => id)).toEqual(['parent', 'parent-b', 'parent0']);
  });

  test('bulk writes and recursive deletes reach everything, numeric ids included', async () => {
    const writer = database.bulkWriter();
    for (let n = 0; n < 40; n++) void writer.set(database.doc(`bulk/p/items/i${n}`), { n });
    void writer.set(database.doc('bulk/p/items/__id7__'), { n: 7 });
    await writer.close();
    expect((await database.collection('bulk/p/items').get()).size).toBe(41);
    await database.recursiveDelete(database.doc('bulk/p'));
    expect((await database.collection('bulk/p/items').get()).size).toBe(0);
  });
});

describe('transactions', () => {
  test('contended increments take turns: all arrive and none has to run again', async () => {
    const reference = database.doc('transactions/counter');
    await reference.set({ n: 0 });
    let attempts = 0;
    await Promise.all(
      Array.from({ length: 20 }, () =>
        database.runTransaction(async (transaction) => {
          attempts++;
          const { n } = (await transaction.get(reference)).data() as { n: number };
          transaction.update(reference, { n: n + 1 });
        }),
      ),
    );
    expect((await reference.get()).get('n')).toBe(20);
    expect(attempts).toBe(20);
  });

  test('two that wait for each other end, and both get through', async () => {
    const [left, right] = [database.doc('transactions/left'), database.doc('transactions/right')];
    await Promise.all([left.set({ n: 0 }), right.set({ n: 0 })]);
    const increment = (first: typeof left, second: typeof left) =>
      database.runTransaction(async (transaction) => {
        const a = await transaction.get(first);
        const b = await transaction.get(second);
        transaction.update(first, { n: a.get('n') + 1 });
        transaction.update(second, { n: b.get('n') + 1 });
      });
    await Promise.all([increment(left, right), increment(right, left)]);
    expect([(await left.get()).get('n'), (await right.get()).get('n')]).toEqual([2, 2]);
  });

  test.each(['query', 'aggregation'])(
    'what a %s has read stays so until the transaction is over: whoever writes into it waits',
    async (kind) => {
      const list = database.collection(`transactions/locked-${kind}/jobs`);
      const open = list.where('open', '==', true);
      let attempts = 0;
      let outside: Promise<unknown> | undefined;
      await database.runTransaction(async (transaction) => {
        attempts++;
        const seen =
          kind === 'query'
            ? (await transaction.get(open)).size
            : (await transaction.get(open.count())).data().count;
        outside ??= list.doc('from-outside').set({ open: true });
        transaction.set(list.doc('count'), { seen });
      });
      await outside;
      expect(attempts).toBe(1);
      expect((await list.doc('count').get()).get('seen')).toBe(0);
      expect((await open.get()).size).toBe(1);
    },
  );

  test('a failing function rolls back, and read-only transactions read', async () => {
    const reference = database.doc('transactions/rolled-back');
    await expect(
      database.runTransaction(async (transaction) => {
        transaction.set(reference, { n: 1 });
        throw new Error('stop');
      }),
    ).rejects.toThrow('stop');
    const exists = await database.runTransaction(
      async (transaction) => (await transaction.get(reference)).exists,
      {
        readOnly: true,
      },
    );
    expect(exists).toBe(false);
  });

  test('every read says when it was made, never before a commit that it shows', async () => {
    const reference = database.doc('transactions/time');
    const { writeTime } = await reference.set({ at: FieldValue.serverTimestamp() });
    const snapshot = await reference.get();
    expect(snapshot.readTime.valueOf() >= writeTime.valueOf()).toBe(true);
    expect(Math.abs(snapshot.readTime.toMillis() - Date.now())).toBeLessThan(60_000);
  });
});

describe('queries', () => {
  beforeAll(async () => {
    const batch = database.batch();
    for (let n = 0; n < 10; n++) {
      batch.set(database.doc(`queried/d${n}`), {
        n,
        parity: n % 2 === 0 ? 'even' : 'odd',
        tags: [`t${n % 3}`, 'all'],
        nested: { square: n * n },
        ...(n < 8 ? {} : { extra: n === 8 ? null : Number.NaN }),
      });
    }
    batch.set(database.doc('queried/d0/grouped/a'), { n: 1 });
    batch.set(database.doc('other/x/grouped/b'), { n: 2 });
    await batch.commit();
  });

  const ids = (snapshot: QuerySnapshot) => snapshot.docs.map(({ id }) => id);
  const list = () => database.collection('queried');

  test('filters of every kind', async () => {
    expect(ids(await list().where('n', '>=', 7).get())).toEqual(['d7', 'd8', 'd9']);
    expect(ids(await list().where('n', '==', 3.0).get())).toEqual(['d3']);
    expect(ids(await list().where('n', '!=', 3).where('n', '<', 5).get())).toEqual(['d0', 'd1', 'd2', 'd4']);
    expect(ids(await list().where('n', 'in', [1, 2, 77]).get())).toEqual(['d1', 'd2']);
    expect(ids(await list().where('n', 'not-in', [0, 1, 2, 3, 4, 5, 6]).get())).toEqual(['d7', 'd8', 'd9']);
    expect(ids(await list().where('tags', 'array-contains', 't2').get())).toEqual(['d2', 'd5', 'd8']);
    expect((await list().where('tags', 'array-contains-any', ['t1', 'all']).get()).size).toBe(10);
    expect(ids(await list().where('nested.square', '==', 16).get())).toEqual(['d4']);
    expect(ids(await list().where('extra', '==', null).get())).toEqual(['d8']);
    expect(ids(await list().where('extra', '==', Number.NaN).get())).toEqual(['d9']);
    expect(ids(await list().where(FieldPath.documentId(), '>=', 'd8').get())).toEqual(['d8', 'd9']);
    expect(ids(await list().where(FieldPath.documentId(), 'in', ['d5', 'd1']).get())).toEqual(['d1', 'd5']);
    const or = Filter.or(
      Filter.where('n', '==', 2),
      Filter.and(Filter.where('parity', '==', 'odd'), Filter.where('n', '>', 6)),
    );
    expect(ids(await list().where(or).get())).toEqual(['d2', 'd7', 'd9']);
  });

  test('null and NaN never match in and array-contains-any', async () => {
    expect((await list().where('extra', 'in', [null, Number.NaN, 5]).get()).size).toBe(0);
  });

  test('order, limits, offsets, cursors and projections', async () => {
    const sorted = list().orderBy('parity').orderBy('n', 'desc');
    expect(ids(await sorted.limit(3).get())).toEqual(['d8', 'd6', 'd4']);
    expect(ids(await sorted.offset(4).limit(2).get())).toEqual(['d0', 'd9']);
    expect(ids(await sorted.limitToLast(2).get())).toEqual(['d3', 'd1']);
    expect(ids(await sorted.startAfter('even', 4).endBefore('odd', 7).get())).toEqual(['d2', 'd0', 'd9']);
    expect(
      ids(
        await list()
          .orderBy('n')
          .startAt(await database.doc('queried/d8').get())
          .get(),
      ),
    ).toEqual(['d8', 'd9']);
    expect(ids(await list().orderBy('extra').get())).toEqual(['d8', 'd9']);
    const selected = await list().where('n', '==', 3).select('nested.square', 'parity').get();
    expect(selected.docs[0]!.data()).toEqual({ nested: { square: 9 }, parity: 'odd' });
  });

  test('collection groups and aggregations', async () => {
    expect(ids(await database.collectionGroup('grouped').orderBy('n').get())).toEqual(['a', 'b']);
    const aggregated = await list()
      .where('n', '<', 5)
      .aggregate({
        count: AggregateField.count(),
        sum: AggregateField.sum('n'),
        average: AggregateField.average('n'),
        nothing: AggregateField.average('missing'),
      })
      .get();
    expect(aggregated.data()).toEqual({ count: 5, sum: 10, average: 2, nothing: null });
    expect((await list().limit(4).count().get()).data()).toEqual({ count: 4 });
  });

  test('queries that Firestore refuses are refused', async () => {
    await expect(
      list()
        .where(
          'n',
          'in',
          Array.from({ length: 31 }, (_, n) => n),
        )
        .get(),
    ).rejects.toMatchObject({ code: 3 });
    await expect(
      list()
        .where(
          'n',
          'not-in',
          Array.from({ length: 11 }, (_, n) => n),
        )
        .get(),
    ).rejects.toMatchObject({
      code: 3,
    });
    const twice = list().where('tags', 'array-contains', 'a').where('tags', 'array-contains', 'b');
    await expect(twice.get()).rejects.toMatchObject({ code: 3 });
  });

  test('what is not supported says so', async () => {
    await expect(list().explain()).rejects.toMatchObject({
      code: 12,
      message: expect.stringContaining('explain'),
    });
    const readTime = Timestamp.fromMillis(Date.now() - 60_000);
    await expect(
      database.runTransaction((transaction) => transaction.get(list()), { readOnly: true, readTime }),
    ).rejects.toMatchObject({ code: 12 });
  });
});

describe('listeners', () => {
  test('a query listener tells added, modified and removed apart', async () => {
    const list = database.collection('listened');
    await list.doc('a').set({ n: 1 });
    const seen: string[] = [];
    const stop = list.where('n', '<', 10).onSnapshot((snapshot) => {
      seen.push(
        snapshot
          .docChanges()
          .map(({ type, doc }) => `${type} ${doc.id}`)
          .join(', '),
      );
    });
    await expect.poll(() => seen, SOON).toEqual(['added a']);
    await list.doc('b').set({ n: 2 });
    await list.doc('a').update({ n: 3 });
    const batch = database.batch();
    batch.update(list.doc('a'), { n: 10 });
    batch.delete(list.doc('b'));
    await batch.commit();
    await expect.poll(() => seen, SOON).toEqual(['added a', 'added b', 'modified a', 'removed a, removed b']);
    stop();
  });

  test('a limit window moves when a document enters or leaves it', async () => {
    const list = database.collection('windowed');
    await Promise.all([1, 2, 3].map((n) => list.doc(`d${n}`).set({ n })));
    const seen: string[][] = [];
    const stop = list
      .orderBy('n')
      .limit(2)
      .onSnapshot((snapshot) => {
        seen.push(snapshot.docs.map(({ id }) => id));
      });
    await expect.poll(() => seen, SOON).toEqual([['d1', 'd2']]);
    await list.doc('d0').set({ n: 0 });
    await list.doc('d1').delete();
    await expect
      .poll(() => seen, SOON)
      .toEqual([
        ['d1', 'd2'],
        ['d0', 'd1'],
        ['d0', 'd2'],
      ]);
    stop();
  });
});

test('the Admin SDK over REST (preferRest) writes, reads, queries and transacts', async () => {
  // Over REST the SDK wants a credential, although it sends "owner" to an emulator.
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const credential = cert({
    projectId: server.projectId,
    clientEmail: 'test@example.com',
    privateKey: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
  });
  const app = initializeApp({ projectId: server.projectId, credential }, 'admin-rest');
  const overRest = initializeFirestore(app, { preferRest: true });
  await overRest.doc('rest/a').set({ n: 1, at: FieldValue.serverTimestamp(), none: null });
  expect((await overRest.doc('rest/a').get()).data()).toMatchObject({ n: 1, none: null });
  expect((await overRest.collection('rest').where('n', '==', 1).get()).size).toBe(1);
  await overRest.runTransaction(async (transaction) => {
    const snapshot = await transaction.get(overRest.doc('rest/a'));
    transaction.update(snapshot.ref, { n: snapshot.get('n') + 1 });
  });
  expect((await database.doc('rest/a').get()).get('n')).toBe(2);
  await expect(overRest.doc('rest/missing').update({ n: 1 })).rejects.toMatchObject({ code: 5 });

  const writer = overRest.bulkWriter();
  for (let n = 0; n < 30; n++) void writer.set(overRest.doc(`rest/a/parts/${n}`), { n, kept: true });
  void writer.set(overRest.doc('rest/not-there/parts/x'), { n: 30 });
  await writer.close();
  const parts = overRest.collection('rest/a/parts');
  const figures = await parts
    .aggregate({
      count: AggregateField.count(),
      sum: AggregateField.sum('n'),
      average: AggregateField.average('n'),
    })
    .get();
  expect(figures.data()).toEqual({ count: 30, sum: 435, average: 14.5 });
  expect(
    (await overRest.collectionGroup('parts').orderBy('n', 'desc').limit(1).get()).docs[0]?.get('n'),
  ).toBe(30);
  const ids = async (list: Promise<{ id: string }[]>) => (await list).map(({ id }) => id);
  expect(await ids(overRest.collection('rest').listDocuments())).toEqual(['a', 'not-there']);
  expect(await ids(overRest.doc('rest/a').listCollections())).toEqual(['parts']);
  const [masked] = await overRest.getAll(overRest.doc('rest/a/parts/1'), { fieldMask: ['kept'] });
  expect(masked?.data()).toEqual({ kept: true });
  const streamed: number[] = [];
  for await (const document of parts.orderBy('n').limit(3).stream()) {
    streamed.push((document as unknown as DocumentSnapshot).get('n'));
  }
  expect(streamed).toEqual([0, 1, 2]);
  await expect(
    overRest.runTransaction(async (transaction) => {
      transaction.set(overRest.doc('rest/rolled-back'), { n: 1 });
      throw new Error('stop');
    }),
  ).rejects.toThrow('stop');
  const count = await overRest.runTransaction(
    async (transaction) => (await transaction.get(parts.count())).data().count,
    { readOnly: true },
  );
  expect(count).toBe(30);
  await overRest.recursiveDelete(overRest.collection('rest'));
  expect((await database.collectionGroup('parts').get()).size).toBe(0);
  await overRest.terminate();
});
