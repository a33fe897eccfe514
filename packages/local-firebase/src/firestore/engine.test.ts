/** Transactions and commits below the transports: conflicts, snapshots, expiry, order of events. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createEngine, type Engine } from './engine.ts';
import { createCallerReader } from './identity.ts';
import { compileQuery } from './query.ts';
import { openStore, type Store } from './store.ts';

const documents = 'projects/p/databases/(default)/documents';

let folder: string;
let store: Store;
let engine: Engine;
let nowMs: number;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'engine-'));
  store = openStore(join(folder, 'firestore.db'));
  nowMs = 1_700_000_000_000;
  engine = createEngine(store, () => nowMs);
});
afterEach(() => {
  store.close();
  rmSync(folder, { recursive: true });
});

const setting = (path: string, n: number) => ({
  update: { name: `${documents}/${path}`, fields: { n: { integerValue: String(n) } } },
});
const set = (path: string, n: number) => engine.commit([setting(path, n)]);
const aborted = expect.objectContaining({ status: 'ABORTED' });
const all = compileQuery(documents, { from: [{ collectionId: 'a' }] });

describe('a transaction', () => {
  test('is aborted when a document that it read was written, deleted or made since', () => {
    set('a/written', 1);
    set('a/deleted', 1);
    const changes = {
      written: () => set('a/written', 2),
      deleted: () => engine.commit([{ delete: `${documents}/a/deleted` }]),
      made: () => set('a/made', 1),
    };
    for (const [id, change] of Object.entries(changes)) {
      const transaction = engine.begin(undefined);
      engine.read(`${documents}/a/${id}`, transaction);
      change();
      expect(() => engine.commit([setting('b/x', 1)], transaction), id).toThrow(aborted);
    }
    expect(store.read(`${documents}/b/x`)).toBeUndefined();
  });

  test('is aborted even if the document was changed and changed back', () => {
    set('a/x', 1);
    const transaction = engine.begin(undefined);
    engine.read(`${documents}/a/x`, transaction);
    set('a/x', 2);
    set('a/x', 1);
    expect(() => engine.commit([], transaction)).toThrow(aborted);
  });

  test('goes through when only others were written, and is over then', () => {
    set('a/x', 1);
    const transaction = engine.begin({ readWrite: {} });
    engine.query(all, transaction);
    set('b/x', 1);
    engine.commit([setting('a/x', 2)], transaction);
    expect(() => engine.commit([], transaction)).toThrow('has expired or is no longer valid');
  });

  test('that only reads shows one moment: what changes after it began is refused, what others do is not', () => {
    set('a/x', 1);
    set('b/x', 1);
    const transaction = engine.begin({ readOnly: {} });
    engine.read(`${documents}/a/x`, transaction);
    set('b/x', 2);
    expect(engine.query(all, transaction)).toHaveLength(1);
    expect(() => engine.read(`${documents}/b/x`, transaction)).toThrow(aborted);
    engine.commit([{ delete: `${documents}/a/x` }]);
    expect(() => engine.read(`${documents}/a/x`, transaction)).toThrow(aborted);
    expect(() => engine.query(all, transaction)).toThrow(aborted);
    expect(() => engine.commit([setting('a/y', 1)], transaction)).toThrow('read-only transaction');
  });

  test('ends after a minute without use, and after 270 seconds with it', () => {
    const idle = engine.begin(undefined);
    nowMs += 61_000;
    expect(() => engine.read(`${documents}/a/x`, idle)).toThrow('has expired');
    const busy = engine.begin(undefined);
    for (let seconds = 0; seconds < 250; seconds += 50) {
      nowMs += 50_000;
      engine.read(`${documents}/a/x`, busy);
    }
    nowMs += 30_000;
    expect(() => engine.commit([], busy)).toThrow('has expired');
  });

  test('waits for its turn, in the order of asking, and stops waiting when the others end', async () => {
    const name = `${documents}/a/x`;
    const [first, second, third] = [
      engine.begin(undefined),
      engine.begin(undefined),
      engine.begin(undefined),
    ];
    const order: string[] = [];
    await engine.takeTurn(first, [name]);
    const waiting = [
      engine.takeTurn(second, [name]).then(() => {
        order.push('second');
        engine.rollback(second);
      }),
      engine.takeTurn(third, [`${documents}/a/y`, name]).then(() => order.push('third')),
    ];
    await engine.takeTurn(first, [name]);
    expect(order).toEqual([]);
    order.push('first');
    engine.commit([], first);
    await Promise.all(waiting);
    expect(order).toEqual(['first', 'second', 'third']);
  });
});

describe('a commit', () => {
  test('is stored before listeners hear of it, once, with what was and what is', () => {
    const heard: unknown[] = [];
    const stop = engine.subscribe((changes) => {
      for (const { name, before, after } of changes) {
        expect(store.read(name)).toBe(after);
        heard.push([name.slice(documents.length + 1), before?.fields['n'], after?.fields['n']]);
      }
    });
    set('a/x', 1);
    engine.commit([setting('a/x', 2), setting('a/x', 3), setting('a/y', 1), { delete: `${documents}/a/y` }]);
    engine.commit([setting('a/x', 3)]);
    stop();
    set('a/x', 4);
    expect(heard).toEqual([
      ['a/x', undefined, { integerValue: '1' }],
      ['a/x', { integerValue: '1' }, { integerValue: '3' }],
    ]);
  });

  test('has a later time than every one before it, even if the clock stands or goes back', () => {
    const micros = [0, 0, -5000, 10, 0].map((step) => {
      nowMs += step;
      set('a/x', Math.random());
      return store.read(`${documents}/a/x`)!.updateMicros;
    });
    expect(new Set(micros).size).toBe(micros.length);
    expect(micros).toEqual(micros.toSorted((left, right) => left - right));
    expect(engine.readMicros()).toBeGreaterThanOrEqual(micros.at(-1)!);
  });
});

describe('who calls', () => {
  const issuedAtSeconds = 1_800_000_000;
  const callerOf = createCallerReader({ projectId: 'demo-test', clock: () => issuedAtSeconds * 1000 });
  const token = (claims: object) =>
    `Bearer e30.${Buffer.from(JSON.stringify(claims)).toString('base64url')}.`;
  const idToken = (claims: object) =>
    token({
      iss: 'https://securetoken.google.com/demo-test',
      aud: 'demo-test',
      iat: issuedAtSeconds,
      exp: issuedAtSeconds + 3600,
      ...claims,
    });

  test('is told by the header: owner, a user, or nobody', () => {
    expect(callerOf('Bearer owner')).toEqual({ kind: 'admin' });
    expect(callerOf(idToken({ sub: 'u1' }))).toMatchObject({ kind: 'client', identity: { uid: 'u1' } });
    expect(callerOf(undefined)).toEqual({ kind: 'client', identity: null });
  });

  test.each([
    'owner',
    'Bearer',
    'Bearer x',
    'Bearer a.b.c',
    'Basic owner',
    token({}),
    token([]),
    token({ sub: 'u1' }),
    idToken({}),
    idToken({ sub: 5 }),
    idToken({ sub: 'u1', exp: issuedAtSeconds }),
    idToken({ sub: 'u1', aud: 'demo-other' }),
  ])('%j is refused, not taken for nobody', (header) => {
    expect(() => callerOf(header)).toThrow(expect.objectContaining({ status: 'UNAUTHENTICATED' }));
  });
});
