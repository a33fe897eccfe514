/** What is measured of a Firestore server over gRPC, with the Admin SDK in this process as the client. */
import { deleteApp, initializeApp } from 'firebase-admin/app';
import { type Firestore, getFirestore } from 'firebase-admin/firestore';
import { memoryOfTree } from '../process-memory.ts';
import { type RunningServer, type ServerProgram, startServer } from './server-program.ts';

/** Runs against a fresh server that has answered once. */
export async function withServer<Result>(
  program: ServerProgram,
  use: (firestore: Firestore, server: RunningServer) => Promise<Result>,
): Promise<Result> {
  const server = await startServer(program);
  process.env['FIRESTORE_EMULATOR_HOST'] = `127.0.0.1:${server.port}`;
  const app = initializeApp({ projectId: 'demo-bench' }, `bench-${server.port}`);
  try {
    const firestore = getFirestore(app);
    await firestore.doc('warm/up').set({ done: true });
    return await use(firestore, server);
  } finally {
    await deleteApp(app);
    await server.close();
  }
}

/** Documents written in a second, one after the other and fifty at a time, for `seconds` each. */
export async function measureWrites(firestore: Firestore, seconds: number) {
  const written = async (lanes: number) => {
    const endsAtMs = performance.now() + seconds * 1000;
    let count = 0;
    const lane = async (name: number) => {
      for (let index = 0; performance.now() < endsAtMs; index += 1) {
        await firestore
          .doc(`writes-${lanes}/${name}-${index}`)
          .set({ index, status: 'queued', at: new Date() });
        count += 1;
      }
    };
    await Promise.all(Array.from({ length: lanes }, (_, name) => lane(name)));
    return count / seconds;
  };
  return { sequentialPerSecond: await written(1), parallelPerSecond: await written(50) };
}

/** Milliseconds from the call of a write until the last of `listeners` on its document has it, `writes` times. */
export async function measureLatencies(
  firestore: Firestore,
  { listeners, writes }: { listeners: number; writes: number },
): Promise<number[]> {
  const document = firestore.doc('bench/latency');
  return withListeners(document, listeners, async (whenAllHave) => {
    const latenciesMs: number[] = [];
    for (let n = 1; n <= writes; n += 1) {
      const all = whenAllHave(n);
      const sentAtMs = performance.now();
      await document.set({ n });
      latenciesMs.push((await all) - sentAtMs);
    }
    return latenciesMs;
  });
}

async function withListeners<Result>(
  document: FirebaseFirestore.DocumentReference,
  count: number,
  use: (whenAllHave: (n: number) => Promise<number>) => Promise<Result>,
): Promise<Result> {
  let arrived = 0;
  let awaited = { n: 0, resolve: (_atMs: number) => {} };
  const whenAllHave = (n: number) => {
    arrived = 0;
    return new Promise<number>((resolve) => {
      awaited = { n, resolve };
    });
  };
  const ready = whenAllHave(0);
  const stops = Array.from({ length: count }, () =>
    document.onSnapshot((snapshot) => {
      if ((snapshot.get('n') ?? 0) !== awaited.n) return;
      arrived += 1;
      if (arrived === count) awaited.resolve(performance.now());
    }),
  );
  try {
    await ready;
    return await use(whenAllHave);
  } finally {
    for (const stop of stops) stop();
  }
}

/** A collection of `count` documents like generations: memory, and a page of 20 by equality and order. */
export async function measureLargeCollection(firestore: Firestore, server: RunningServer, count: number) {
  const startedAtMs = performance.now();
  for (let first = 0; first < count; first += 500) {
    const batch = firestore.batch();
    for (let index = first; index < Math.min(first + 500, count); index += 1) {
      batch.set(firestore.doc(`large/document-${index}`), {
        index,
        status: index % 10 === 0 ? 'completed' : 'queued',
        user_id: `user-${index % 100}`,
        prompt: `a picture of thing number ${index}, painted for the bench`,
      });
    }
    await batch.commit();
  }
  const loadSeconds = (performance.now() - startedAtMs) / 1000;
  const page = firestore
    .collection('large')
    .where('status', '==', 'completed')
    .orderBy('index', 'desc')
    .limit(20);
  const queriesMs: number[] = [];
  for (let query = 0; query < 25; query += 1) {
    const askedAtMs = performance.now();
    const { size } = await page.get();
    if (size !== 20) throw new Error(`The query found ${size} documents; expected 20.`);
    queriesMs.push(performance.now() - askedAtMs);
  }
  const memory = memoryOfTree(server.pid);
  return { loadedPerSecond: count / loadSeconds, queriesMs: queriesMs.slice(5), memory };
}
