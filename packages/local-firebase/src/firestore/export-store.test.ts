/** A store written to a file and read back is the same store, whatever values it holds and while a server uses it. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createEngine } from './engine.ts';
import { exportStore, importStore } from './export-store.ts';
import type { Fields } from './messages.ts';
import { openStore } from './store.ts';
import { checkStore } from './store-check.ts';

const documents = 'projects/p/databases/(default)/documents';
const everything: Fields = {
  null: { nullValue: 'NULL_VALUE' },
  large: { integerValue: '9223372036854775807' },
  nan: { doubleValue: Number.NaN },
  zero: { doubleValue: -0 },
  infinite: { doubleValue: Number.NEGATIVE_INFINITY },
  bytes: { bytesValue: Buffer.from([0, 255]) },
  time: { timestampValue: { seconds: '-5', nanos: 123_456_000 } },
  place: { geoPointValue: { latitude: -1.5, longitude: 3 } },
  reference: { referenceValue: `${documents}/a/b` },
  list: { arrayValue: { values: [{ booleanValue: false }, { stringValue: '\u0000\u2028 "line\nbreak"' }] } },
  'a.`b': { mapValue: { fields: { x: { stringValue: '😀' } } } },
};

let folder: string;
const at = (name: string) => join(folder, name);

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'export-'));
});
afterEach(() => {
  rmSync(folder, { recursive: true });
});

test('every document comes back with its values and its times, and over what was there', async () => {
  const store = openStore(at('first.db'));
  const engine = createEngine(store, Date.now);
  const names = Array.from({ length: 1203 }, (_, n) => `${documents}/many/${n}`);
  await engine.commit(names.map((name) => ({ update: { name, fields: { n: { stringValue: name } } } })));
  await engine.commit([{ update: { name: `${documents}/many/0/below/\u{1f600}`, fields: everything } }]);
  // The store is still open, and goes on.
  const exported = await exportStore({ databaseFile: at('first.db'), exportFile: at('out/store.jsonl') });
  expect(exported).toEqual({ documents: 1204 });
  await engine.commit([{ delete: names[0]! }]);

  const other = openStore(at('second.db'));
  await createEngine(other, Date.now).commit([
    { update: { name: names[1]!, fields: {} } },
    { update: { name: `${documents}/own/x`, fields: {} } },
  ]);
  other.close();
  const files = { databaseFile: at('second.db'), exportFile: at('out/store.jsonl') };
  expect(await importStore(files)).toEqual({ documents: 1204 });
  const second = openStore(at('second.db'));
  for (const name of [names[1]!, names[1202]!, `${documents}/many/0/below/\u{1f600}`]) {
    const { version: _, ...original } = store.read(name)!;
    expect(second.read(name)).toMatchObject(original);
  }
  expect(second.read(names[0]!)).toBeDefined();
  expect(second.read(`${documents}/own/x`)).toBeDefined();
  expect(second.commitMicros()).toBeGreaterThanOrEqual(second.read(names[1]!)!.updateMicros);
  second.close();
  store.close();
  expect(checkStore(at('second.db'))).toEqual([]);
});

test('what is no export is refused with its line', async () => {
  const store = openStore(at('first.db'));
  await createEngine(store, Date.now).commit([{ update: { name: `${documents}/a/b`, fields: {} } }]);
  store.close();
  await exportStore({ databaseFile: at('first.db'), exportFile: at('good.jsonl') });
  writeFileSync(at('bad.jsonl'), `${readFileSync(at('good.jsonl'), 'utf8')}{"name":"a/b"}\n`);
  const importing = (exportFile: string) => importStore({ databaseFile: at('second.db'), exportFile });
  await expect(importing(at('bad.jsonl'))).rejects.toMatchObject({
    code: 'data_unreadable',
    message: expect.stringContaining('Line 3'),
  });
  writeFileSync(at('other.jsonl'), '{"format":"other"}\n');
  await expect(importing(at('other.jsonl'))).rejects.toMatchObject({
    message: expect.stringContaining('Line 1'),
  });
  const missing = { databaseFile: at('missing.db'), exportFile: at('x.jsonl') };
  await expect(exportStore(missing)).rejects.toMatchObject({ code: 'data_unreadable' });
});
