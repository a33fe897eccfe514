import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { openDatabase } from './database.ts';

const folder = mkdtempSync(join(tmpdir(), 'database-'));
afterAll(() => {
  rmSync(folder, { recursive: true });
});

const schema = 'CREATE TABLE IF NOT EXISTS notes (text TEXT PRIMARY KEY)';

test('makes folder and file, and finds what was written when opened again', () => {
  const file = join(folder, 'deeper/notes.db');
  const database = openDatabase(file, schema, 1);
  database.prepare("INSERT INTO notes VALUES ('kept')").run();
  database.close();
  const again = openDatabase(file, schema, 1);
  expect(again.prepare('SELECT text FROM notes').all()).toMatchObject([{ text: 'kept' }]);
  again.close();
});

test('refuses the file of another version, and leaves it as it is', () => {
  const file = join(folder, 'version.db');
  openDatabase(file, schema, 1).close();
  expect(() => openDatabase(file, 'DROP TABLE notes', 2)).toThrow(/has schema version 1, expected 2/);
  openDatabase(file, schema, 1).close();
});
