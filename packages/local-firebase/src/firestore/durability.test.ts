/** A server killed in the middle of writing: nothing acknowledged is lost, nothing is half there, and the file opens. */
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'libsql';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { startFirestoreProcess } from '../../test/firestore-process.ts';
import { startFirestore } from './server.ts';
import { openStore, type Store } from './store.ts';
import { checkStore } from './store-check.ts';

const PROJECT_ID = 'demo-durable';
const documents = `projects/${PROJECT_ID}/databases/(default)/documents`;

let folder: string;
let databaseFile: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'durability-'));
  databaseFile = join(folder, 'firestore.db');
});
afterEach(() => {
  rmSync(folder, { recursive: true });
});

/** Two documents in one commit, so that a torn commit shows. */
async function commitPair(port: number, n: number): Promise<boolean> {
  const writes = ['left', 'right'].map((side) => ({
    update: {
      name: `${documents}/pairs/${n}/sides/${side}`,
      fields: { n: { integerValue: n }, pad: { stringValue: 'x'.repeat(2000) } },
    },
  }));
  try {
    const response = await fetch(`http://127.0.0.1:${port}/v1/${documents}:commit`, {
      method: 'POST',
      headers: { Authorization: 'Bearer owner' },
      body: JSON.stringify({ writes }),
    });
    return response.ok;
  } catch {
    // The server is dead: the commit may or may not have happened, and was not acknowledged.
    return false;
  }
}

test('kill -9 while four clients write loses nothing acknowledged and tears no commit', async () => {
  // Indexes from the start, one of them of values that it cuts: their upkeep is part of every commit.
  const [byNumber, byPad] = withStore((store) =>
    (['n', 'pad'] as const).map((fieldPath) =>
      store.ensureIndex({
        scope: 'group',
        collectionId: 'sides',
        fields: [{ fieldPath, kind: 'ascending' }],
        nameKind: 'ascending',
      }),
    ),
  );
  expect(byNumber?.id).not.toBe(byPad?.id);
  const acknowledged: number[] = [];
  let next = 0;
  for (let round = 0; round < 2; round++) {
    const { child, port } = await startFirestoreProcess({ projectId: PROJECT_ID, databaseFile });
    const enough = acknowledged.length + 100;
    let isKilled = false;
    const clients = Array.from({ length: 4 }, async () => {
      while (!isKilled) {
        const n = next++;
        if (await commitPair(port, n)) acknowledged.push(n);
        if (acknowledged.length >= enough && !isKilled) {
          isKilled = true;
          child.kill('SIGKILL');
        }
      }
    });
    await Promise.all([...clients, once(child, 'exit')]);
  }
  expect(acknowledged.length).toBeGreaterThanOrEqual(200);

  const store = openStore(databaseFile);
  for (const n of acknowledged) {
    for (const side of ['left', 'right']) {
      expect(store.read(`${documents}/pairs/${n}/sides/${side}`)?.fields['n']).toEqual({
        integerValue: String(n),
      });
    }
  }
  const sides = [...store.scan({ kind: 'group', parent: documents, collectionId: 'sides' })];
  expect(pairSizes(sides).filter((size) => size !== 2)).toEqual([]);
  store.close();
  expect(checkStore(databaseFile)).toEqual([]);
  const raw = new Database(databaseFile);
  const [entries] = raw.prepare('SELECT count(*) FROM index_entries').raw().get() as [number];
  expect(entries).toBe(sides.length * 2);
  raw.close();
}, 60_000);

function withStore<Result>(use: (store: Store) => Result): Result {
  const store = openStore(databaseFile);
  try {
    return use(store);
  } finally {
    store.close();
  }
}

function pairSizes(sides: { name: string }[]): number[] {
  const sizes = new Map<string, number>();
  for (const { name } of sides) {
    const pair = name.split('/sides/')[0]!;
    sizes.set(pair, (sizes.get(pair) ?? 0) + 1);
  }
  return [...sizes.values()];
}

describe('opening', () => {
  test('time and versions go on where they stopped, even if the machine is now behind', () => {
    const name = `${documents}/a/b`;
    const future = Date.now() * 1000 + 3_600_000_000;
    const first = openStore(databaseFile);
    const stored = { name, fields: {}, createMicros: future, updateMicros: future, version: 1 };
    first.commit(new Map([[name, stored]]), 1, future);
    first.close();
    const second = openStore(databaseFile);
    expect(second.commitMicros()).toBe(future);
    expect(second.epoch).toBe(first.epoch);
    expect(second.version()).toBeGreaterThan(1);
    second.close();
  });

  test('a file from before there were indexes is taken on, and one from the future is not', () => {
    const name = `${documents}/a/b`;
    const stored = { name, fields: {}, createMicros: 1, updateMicros: 1, version: 1 };
    withStore((store) => store.commit(new Map([[name, stored]]), 1, 1));
    const raw = new Database(databaseFile);
    raw.exec(
      'DROP TABLE index_entries; DROP TABLE indexes; DROP TABLE index_places; PRAGMA user_version = 1',
    );
    raw.close();
    expect(withStore((store) => store.read(name))).toEqual(stored);
    expect(checkStore(databaseFile)).toEqual([]);
    const future = new Database(databaseFile);
    future.exec('PRAGMA user_version = 99');
    future.close();
    expect(() => openStore(databaseFile)).toThrow('schema version 99');
  });

  test('a fault between documents and indexes is found', () => {
    const definition = {
      scope: 'collection' as const,
      collectionId: 'a',
      fields: [{ fieldPath: 'n', kind: 'ascending' as const }],
      nameKind: 'ascending' as const,
    };
    const fields = { n: { integerValue: '5' } };
    const stored = { name: `${documents}/a/b`, fields, createMicros: 1, updateMicros: 1, version: 1 };
    withStore((store) => {
      store.ensureIndex(definition);
      store.commit(new Map([[stored.name, stored]]), 1, 1);
    });
    expect(checkStore(databaseFile)).toEqual([]);
    const raw = new Database(databaseFile);
    raw.exec("UPDATE index_entries SET key = key || x'00'");
    raw.close();
    expect(checkStore(databaseFile)).toEqual([
      expect.stringContaining('no document calls for'),
      expect.stringContaining(`lacks an entry for ${stored.name}`),
    ]);
  });

  test('a second opening takes over: the first refuses to write, and says why', () => {
    const name = `${documents}/a/b`;
    const stored = { name, fields: {}, createMicros: 1, updateMicros: 1, version: 1 };
    const first = openStore(databaseFile);
    first.commit(new Map([[name, stored]]), 1, 1);
    const second = openStore(databaseFile);
    expect(() => first.commit(new Map([[name, undefined]]), 2, 2)).toThrow('Another process has opened');
    expect(second.read(name)).toEqual(stored);
    second.close();
    first.close();
  });

  test('a file that is no database, and a port that is taken, are named', async () => {
    writeFileSync(databaseFile, 'this is not a database, however long one looks at it'.repeat(100));
    await expect(startFirestore({ projectId: 'p', databaseFile })).rejects.toMatchObject({
      code: 'data_unreadable',
      message: expect.stringContaining(databaseFile),
    });
    rmSync(databaseFile);
    const server = await startFirestore({ projectId: 'p', databaseFile });
    const again = startFirestore({ projectId: 'p', databaseFile: `${databaseFile}2`, port: server.port });
    await expect(again).rejects.toMatchObject({
      code: 'address_unavailable',
      message: expect.stringContaining(String(server.port)),
    });
    await server.close();
    await server.close();
  });
});
