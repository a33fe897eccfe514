/** Transactions below the transports: locks and who waits for whom, snapshots, expiry. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createEngine, type Engine } from './engine.ts';
import type { StructuredQuery } from './messages.ts';
import { compileQuery } from './query.ts';
import { openStore, type Store } from './store.ts';
import { DEFAULT_TRANSACTION_LIMITS } from './transactions.ts';

const documents = 'projects/p/databases/(default)/documents';

let folder: string;
let store: Store;
let engine: Engine;
let nowMs: number;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'transactions-'));
  store = openStore(join(folder, 'firestore.db'));
  nowMs = 1_700_000_000_000;
  engine = engineWith({});
});
afterEach(() => {
  store.close();
  rmSync(folder, { recursive: true });
});

function engineWith(limits: Partial<typeof DEFAULT_TRANSACTION_LIMITS>): Engine {
  const transactions = { ...DEFAULT_TRANSACTION_LIMITS, expiryCheckMs: 5, ...limits };
  return createEngine(store, () => nowMs, { transactions });
}

const nameOf = (path: string) => `${documents}/${path}`;
const setting = (path: string, n: number) => ({
  update: { name: nameOf(path), fields: { n: { integerValue: String(n) } } },
});
const set = (path: string, n: number) => engine.commit([setting(path, n)]);
const numberAt = (path: string) => {
  const n = store.read(nameOf(path))?.fields['n'];
  return n !== undefined && 'integerValue' in n ? Number(n.integerValue) : undefined;
};
const aborted = expect.objectContaining({ status: 'ABORTED' });
const all = (query: StructuredQuery = {}) =>
  compileQuery(documents, { from: [{ collectionId: 'a' }], ...query });

/** Whether the promise is still open after what is due has run. */
async function isWaiting(promise: Promise<unknown>): Promise<boolean> {
  const nothing = Symbol('nothing');
  return (await Promise.race([promise.then(() => 0), delay(20, nothing)])) === nothing;
}

describe('locks', () => {
  test('of a transaction make every other writer of what it read wait until it ends', async () => {
    await set('a/x', 1);
    await set('a/gone', 1);
    const transaction = engine.begin({ readWrite: {} });
    for (const id of ['x', 'gone', 'missing']) engine.read(nameOf(`a/${id}`), transaction);
    const waiting = [set('a/x', 5), engine.commit([{ delete: nameOf('a/gone') }]), set('a/missing', 5)];
    await set('a/other', 1);
    for (const each of waiting) expect(await isWaiting(each)).toBe(true);
    expect([numberAt('a/x'), numberAt('a/gone'), numberAt('a/missing')]).toEqual([1, 1, undefined]);
    // What it writes it may write: only others wait.
    await engine.commit([setting('a/x', 2)], transaction);
    await Promise.all(waiting);
    expect([numberAt('a/x'), numberAt('a/gone'), numberAt('a/missing')]).toEqual([5, undefined, 5]);
  });

  test('of a query hold off what it would find, and nothing else', async () => {
    await set('a/x', 1);
    const filter = { field: { fieldPath: 'n' }, op: 'GREATER_THAN', value: { integerValue: '10' } } as const;
    const transaction = engine.begin(undefined);
    expect(engine.query(all({ where: { fieldFilter: filter } }), transaction)).toEqual([]);
    await set('a/y', 5);
    const phantom = set('a/z', 11);
    const moved = set('a/x', 12);
    expect(await isWaiting(phantom)).toBe(true);
    expect(await isWaiting(moved)).toBe(true);
    engine.rollback(transaction);
    await Promise.all([phantom, moved]);
  });

  test('are waited for no longer than the limit: then the writer is aborted and nothing is written', async () => {
    engine = engineWith({ lockWaitMs: 30 });
    await set('a/x', 1);
    const transaction = engine.begin(undefined);
    engine.read(nameOf('a/x'), transaction);
    await expect(set('a/x', 2)).rejects.toEqual(aborted);
    expect(numberAt('a/x')).toBe(1);
    await engine.commit([setting('a/x', 3)], transaction);
    expect(numberAt('a/x')).toBe(3);
  });

  test('do not starve a writer: transactions that begin later let it go first, and its wait ends at the limit', async () => {
    engine = engineWith({ lockWaitMs: 2000, turnMs: 1000 });
    await set('a/x', 0);
    const begun = async () => {
      const transaction = engine.begin(undefined);
      await engine.takeTurn(transaction, [nameOf('a/x')]);
      return transaction;
    };
    const first = await begun();
    let isWritten = false;
    const write = set('a/x', 100).then(() => {
      isWritten = true;
    });
    const later = [1, 2, 3].map(async () => {
      const transaction = await begun();
      expect(isWritten).toBe(true);
      await engine.commit([setting('a/x', numberAt('a/x')! + 1)], transaction);
    });
    await engine.commit([setting('a/x', 50)], first);
    await Promise.all([write, ...later]);
    expect(numberAt('a/x')).toBe(103);
  });

  test('end with a transaction that expires, and whoever waits goes on', async () => {
    await set('a/x', 1);
    const transaction = engine.begin(undefined);
    engine.read(nameOf('a/x'), transaction);
    const waiting = set('a/x', 2);
    expect(await isWaiting(waiting)).toBe(true);
    nowMs += 61_000;
    await waiting;
    expect(() => engine.read(nameOf('a/x'), transaction)).toThrow('has expired or is no longer valid');
    await expect(engine.commit([], transaction)).rejects.toThrow('has expired or is no longer valid');
  });

  test('that two transactions want from each other end the younger one', async () => {
    const older = engine.begin(undefined);
    const younger = engine.begin(undefined);
    engine.read(nameOf('a/x'), older);
    engine.read(nameOf('a/y'), younger);
    const outcomes = [
      engine.commit([setting('a/y', 1)], older),
      engine.commit([setting('a/x', 2)], younger),
    ] as const;
    await expect(outcomes[1]).rejects.toEqual(aborted);
    await outcomes[0];
    expect([numberAt('a/y'), numberAt('a/x')]).toEqual([1, undefined]);
    // Whoever runs again is as old as at first, and wins against those that began in between.
    const between = engine.begin(undefined);
    const again = engine.begin({ readWrite: { retryTransaction: younger } });
    engine.read(nameOf('a/x'), again);
    engine.read(nameOf('a/y'), between);
    const retried = engine.commit([setting('a/y', 3)], again);
    await expect(engine.commit([setting('a/x', 4)], between)).rejects.toEqual(aborted);
    await retried;
    expect([numberAt('a/y'), numberAt('a/x')]).toEqual([3, undefined]);
  });

  test('make write skew impossible: of two doctors on call one stays', async () => {
    await set('a/ann', 1);
    await set('a/bob', 1);
    const onCall = all({
      where: { fieldFilter: { field: { fieldPath: 'n' }, op: 'EQUAL', value: { integerValue: '1' } } },
    });
    const leave = async (path: string) => {
      const transaction = engine.begin(undefined);
      await delay(1);
      if (engine.query(onCall, transaction).length < 2) throw new Error('nobody else is on call');
      await delay(1);
      await engine.commit([setting(path, 0)], transaction);
    };
    const outcomes = await Promise.allSettled([leave('a/ann'), leave('a/bob')]);
    expect(outcomes.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
    expect(numberAt('a/ann')! + numberAt('a/bob')!).toBe(1);
  });

  test('let transactions that read the same documents run one after the other', async () => {
    const [first, second, third] = [1, 2, 3].map(() => engine.begin(undefined)) as [Buffer, Buffer, Buffer];
    const order: string[] = [];
    await engine.takeTurn(first, [nameOf('a/x')]);
    const waiting = [
      engine.takeTurn(second, [nameOf('a/x')]).then(() => {
        order.push('second');
        engine.rollback(second);
      }),
      engine.takeTurn(third, [nameOf('a/y'), nameOf('a/x')]).then(() => order.push('third')),
    ];
    await engine.takeTurn(first, [nameOf('a/x')]);
    expect(order).toEqual([]);
    order.push('first');
    await engine.commit([], first);
    await Promise.all(waiting);
    expect(order).toEqual(['first', 'second', 'third']);
  });

  test('do not make two transactions wait for each other, one for its turn and one to write', async () => {
    const [first, second] = [engine.begin(undefined), engine.begin(undefined)];
    await engine.takeTurn(first, [nameOf('a/x')]);
    await engine.takeTurn(second, [nameOf('a/y')]);
    const turn = engine.takeTurn(second, [nameOf('a/x')]);
    const commit = engine.commit([setting('a/y', 1)], first);
    await turn;
    engine.rollback(second);
    await commit;
    expect(numberAt('a/y')).toBe(1);
  });
});

describe('a read-only transaction', () => {
  test('shows one moment, whatever is written after it began, and holds up nobody', async () => {
    await set('a/x', 1);
    await set('a/deleted', 1);
    const transaction = engine.begin({ readOnly: {} });
    const beganMicros = engine.readMicros(transaction);
    nowMs += 5;
    await set('a/x', 2);
    await set('a/made', 2);
    await engine.commit([{ delete: nameOf('a/deleted') }]);
    await set('a/x', 3);
    const namesOf = (id?: Buffer) => engine.query(all({ limit: { value: 2 } }), id).map(({ name }) => name);
    expect(engine.read(nameOf('a/x'), transaction)?.fields['n']).toEqual({ integerValue: '1' });
    expect(engine.read(nameOf('a/made'), transaction)).toBeUndefined();
    expect(namesOf(transaction)).toEqual([nameOf('a/deleted'), nameOf('a/x')]);
    expect(engine.count(all(), transaction)).toBe(2);
    expect(namesOf()).toEqual([nameOf('a/made'), nameOf('a/x')]);
    expect(engine.readMicros(transaction)).toBe(beganMicros);
    await expect(engine.commit([setting('a/y', 1)], transaction)).rejects.toThrow('read-only transaction');
  });

  test('in the past is not supported, and says so', () => {
    expect(() => engine.begin({ readOnly: { readTime: { seconds: '5' } } })).toThrow('not supported');
  });
});

test('a transaction ends after a minute without use, and after 270 seconds with it', async () => {
  const idle = engine.begin(undefined);
  nowMs += 61_000;
  expect(() => engine.read(nameOf('a/x'), idle)).toThrow('has expired');
  const busy = engine.begin(undefined);
  for (let seconds = 0; seconds < 250; seconds += 50) {
    nowMs += 50_000;
    engine.read(nameOf('a/x'), busy);
  }
  nowMs += 30_000;
  await expect(engine.commit([], busy)).rejects.toThrow('has expired');
});

test('transfers between accounts by transactions and plain writes, in any interleaving, keep the sum', async () => {
  const plan = fc.array(
    fc.record({
      from: fc.nat(3),
      to: fc.nat(3),
      pauses: fc.array(fc.nat(2), { minLength: 3, maxLength: 3 }),
    }),
    { minLength: 2, maxLength: 6 },
  );
  await fc.assert(
    fc.asyncProperty(plan, async (transfers) => {
      engine = engineWith({ turnMs: 3, lockWaitMs: 2000 });
      for (let account = 0; account < 4; account++) await set(`accounts/${account}`, 100);
      const pause = async (turns: number) => {
        for (let turn = 0; turn < turns; turn++) await new Promise(setImmediate);
      };
      const transfer = async ({ from, to, pauses }: { from: number; to: number; pauses: number[] }) => {
        if (from === to) return;
        const transaction = engine.begin(undefined);
        const read = async (account: number, turns: number) => {
          await engine.takeTurn(transaction, [nameOf(`accounts/${account}`)]);
          engine.read(nameOf(`accounts/${account}`), transaction);
          const n = numberAt(`accounts/${account}`)!;
          await pause(turns);
          return n;
        };
        const source = await read(from, pauses[0]!);
        const target = await read(to, pauses[1]!);
        await pause(pauses[2]!);
        await engine.commit(
          [setting(`accounts/${from}`, source - 7), setting(`accounts/${to}`, target + 7)],
          transaction,
        );
      };
      const outcomes = await Promise.allSettled(transfers.map(transfer));
      for (const outcome of outcomes)
        if (outcome.status === 'rejected') expect(outcome.reason).toEqual(aborted);
      expect(outcomes.some(({ status }) => status === 'fulfilled')).toBe(true);
      expect([0, 1, 2, 3].reduce((sum, account) => sum + numberAt(`accounts/${account}`)!, 0)).toBe(400);
    }),
    { numRuns: 40 },
  );
});
