/** Commits below the transports: what listeners hear and when, times, and who calls. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createEngine, type Engine } from './engine.ts';
import { createCallerReader } from './identity.ts';
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

describe('a commit', () => {
  test('is stored before listeners hear of it, once, with what was and what is', async () => {
    const heard: unknown[] = [];
    const stop = engine.subscribe((changes) => {
      for (const { name, before, after } of changes) {
        expect(store.read(name)).toBe(after);
        heard.push([name.slice(documents.length + 1), before?.fields['n'], after?.fields['n']]);
      }
    });
    await set('a/x', 1);
    await engine.commit([
      setting('a/x', 2),
      setting('a/x', 3),
      setting('a/y', 1),
      { delete: `${documents}/a/y` },
    ]);
    await engine.commit([setting('a/x', 3)]);
    stop();
    await set('a/x', 4);
    expect(heard).toEqual([
      ['a/x', undefined, { integerValue: '1' }],
      ['a/x', { integerValue: '1' }, { integerValue: '3' }],
    ]);
  });

  test('has a later time than every one before it, even if the clock stands or goes back', () => {
    const micros = [0, 0, -5000, 10, 0].map((step) => {
      nowMs += step;
      void set('a/x', Math.random());
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
