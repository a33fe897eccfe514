/** Looks whether a store file is whole: what SQLite can say about it, and whether its indexes say what its documents say. */
import Database from 'libsql';
import { definitionOfKey, entryKeysOf, placeOf } from './indexes/definition.ts';
import type { Fields } from './messages.ts';
import { lastSegmentOf, parentOf } from './path.ts';
import { decodeMessage } from './protos.ts';

/**
 * Reads the whole file; another process may have it open.
 *
 * @returns A sentence for each fault; none for a store that is whole.
 */
export function checkStore(file: string): string[] {
  const database = new Database(file, { readonly: true });
  try {
    return [...faultsOf(database)];
  } finally {
    database.close();
  }
}

type DocumentRow = [row: number, name: Buffer, collection: Buffer, collectionId: Buffer, fields: Buffer];

function* faultsOf(database: Database.Database): Generator<string> {
  const all = (sql: string) => database.prepare(sql).raw().all();
  for (const [result] of all('PRAGMA integrity_check') as [string][]) {
    if (result !== 'ok') yield `SQLite: ${result}`;
  }
  const documents = new Map<number, { name: string; fields: Fields }>();
  const rows = all('SELECT rowid, name, collection, collection_id, fields FROM documents') as DocumentRow[];
  for (const [row, nameBytes, collection, collectionId, bytes] of rows) {
    const name = nameBytes.toString();
    if (collection.toString() !== parentOf(name)) yield `${name} is filed under ${collection.toString()}`;
    if (collectionId.toString() !== lastSegmentOf(parentOf(name))) yield `${name} is in the wrong group`;
    const { fields = {} } = decodeMessage('MapValue', bytes) as { fields?: Fields };
    documents.set(row, { name, fields });
  }
  const places = new Map(
    (all('SELECT id, path FROM index_places') as [number, Buffer][]).map(([id, path]) => [
      path.toString(),
      id,
    ]),
  );
  for (const [id, key] of all('SELECT id, definition FROM indexes') as [number, string][]) {
    const definition = definitionOfKey(key);
    const expected = new Map<string, number>();
    for (const [row, document] of documents) {
      if (lastSegmentOf(parentOf(document.name)) !== definition.collectionId) continue;
      const stored = { ...document, createMicros: 0, updateMicros: 0, version: 0 };
      const place = Buffer.alloc(4);
      place.writeUInt32BE(places.get(placeOf(definition, document.name)) ?? 0);
      for (const entry of entryKeysOf(definition, stored).keys) {
        expected.set(Buffer.concat([place, entry]).toString('latin1'), row);
      }
    }
    const found = database
      .prepare('SELECT key, document FROM index_entries WHERE index_id = ?')
      .raw()
      .all([id]) as [Buffer, number][];
    for (const [entry, row] of found) {
      const text = entry.toString('latin1');
      if (expected.get(text) !== row)
        yield `Index ${key} has an entry for row ${row} that no document calls for`;
      expected.delete(text);
    }
    for (const row of expected.values()) {
      yield `Index ${key} lacks an entry for ${documents.get(row)!.name}`;
    }
  }
}
