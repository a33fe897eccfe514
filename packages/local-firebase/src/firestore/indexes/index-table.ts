/** The indexes on disk: their definitions, their entries, and the upkeep of both in the transaction of each commit. */
import type { SqliteDatabase } from '../../database.ts';
import { lastSegmentOf, parentOf } from '../path.ts';
import type { StoredDocument } from '../stored-document.ts';
import {
  definitionKeyOf,
  definitionOfKey,
  entryKeysOf,
  type IndexDefinition,
  placeOf,
} from './definition.ts';

/** Entries point at documents by row: names would be most of an index. */
export const INDEX_SCHEMA = `
  CREATE TABLE IF NOT EXISTS indexes (
    id INTEGER PRIMARY KEY,
    definition TEXT NOT NULL UNIQUE,
    has_cut_values INTEGER NOT NULL DEFAULT 0
  );
  CREATE TABLE IF NOT EXISTS index_places (id INTEGER PRIMARY KEY, path BLOB NOT NULL UNIQUE);
  CREATE TABLE IF NOT EXISTS index_entries (
    index_id INTEGER NOT NULL,
    key BLOB NOT NULL,
    document INTEGER NOT NULL,
    PRIMARY KEY (index_id, key)
  ) WITHOUT ROWID`;

/** An index of this store. */
export type Index = {
  readonly id: number;
  readonly definition: IndexDefinition;
  /** Where a value was cut, the entries alone no longer tell the order of documents. */
  hasCutValues: boolean;
};

/** Keys from `lower` up to, not including, `upper`, without the place. */
export type KeyRange = { lower: Buffer; upper: Buffer };

/** The columns of `documents` that a scan reads, in the order of {@link DocumentRow}. */
export type DocumentRow = [
  name: Buffer,
  fields: Buffer,
  createMicros: number,
  updateMicros: number,
  version: number,
];

export type IndexTable = {
  /** The index, built first when there is none; undefined when the collection id has too many already. */
  ensure(definition: IndexDefinition): Index | undefined;
  /** Whether a document's changes must be entered anywhere. */
  isIndexed(documentName: string): boolean;
  /** Enters a document's change; call it inside the transaction of the commit. `row` is the document's. */
  enter(before: StoredDocument | undefined, after: StoredDocument | undefined, row: number): void;
  /** Up to `count` documents of a range in key order or backwards, each with its key. */
  read(
    index: Index,
    place: string,
    range: KeyRange,
    options: { isReverse: boolean; count: number },
  ): { key: Buffer; row: DocumentRow }[];
  count(index: Index, place: string, range: KeyRange): number;
  /** The transaction that entered changes was rolled back. */
  forgetUncommitted(): void;
  definitions(): IndexDefinition[];
};

const DOCUMENTS_PER_BUILD_STEP = 2000;
const PLACE_BYTES = 4;

/**
 * @param documentOf Decodes a row of `documents`.
 * @param maxIndexes How many there may be for one collection id.
 */
export function createIndexTable(
  database: SqliteDatabase,
  documentOf: (row: DocumentRow) => StoredDocument,
  maxIndexes: number,
): IndexTable {
  const prepare = (sql: string) => database.prepare(sql).raw();
  const range = 'FROM index_entries e WHERE e.index_id = ? AND e.key >= ? AND e.key < ?';
  // CROSS JOIN keeps SQLite from turning the join around.
  const joined = `SELECT e.key, d.name, d.fields, d.create_micros, d.update_micros, d.version
    FROM index_entries e CROSS JOIN documents d ON d.rowid = e.document
    WHERE e.index_id = ? AND e.key >= ? AND e.key < ?`;
  const statements = {
    indexes: prepare('SELECT id, definition, has_cut_values FROM indexes'),
    addIndex: database.prepare('INSERT INTO indexes (definition) VALUES (?)'),
    markCut: database.prepare('UPDATE indexes SET has_cut_values = 1 WHERE id = ?'),
    place: prepare('SELECT id FROM index_places WHERE path = ?'),
    addPlace: database.prepare('INSERT INTO index_places (path) VALUES (?)'),
    add: database.prepare('INSERT OR REPLACE INTO index_entries VALUES (?, ?, ?)'),
    remove: database.prepare('DELETE FROM index_entries WHERE index_id = ? AND key = ?'),
    forwards: prepare(`${joined} ORDER BY e.key LIMIT ?`),
    backwards: prepare(`${joined} ORDER BY e.key DESC LIMIT ?`),
    count: prepare(`SELECT count(*) ${range}`),
    group: prepare(
      `SELECT rowid, name, fields, create_micros, update_micros, version FROM documents
       WHERE collection_id = ? AND name > ? ORDER BY name LIMIT ?`,
    ),
  };
  const indexesOf = new Map<string, Map<string, Index>>();
  for (const [id, key, cut] of statements.indexes.all() as [number, string, number][]) {
    register(key, { id, definition: definitionOfKey(key), hasCutValues: cut === 1 });
  }
  const placeIds = new Map<string, number>();

  function register(key: string, index: Index): void {
    const { collectionId } = index.definition;
    const siblings = indexesOf.get(collectionId) ?? new Map<string, Index>();
    indexesOf.set(collectionId, siblings.set(key, index));
  }

  function placeIdOf(path: string): number | undefined {
    const known = placeIds.get(path);
    if (known !== undefined) return known;
    const found = statements.place.get([Buffer.from(path)]) as [number] | undefined;
    if (found !== undefined) placeIds.set(path, found[0]);
    return found?.[0];
  }

  function claimPlaceId(path: string): number {
    const known = placeIdOf(path);
    if (known !== undefined) return known;
    return Number(statements.addPlace.run([Buffer.from(path)]).lastInsertRowid);
  }

  function placed(placeId: number, key: Buffer): Buffer {
    const result = Buffer.allocUnsafe(PLACE_BYTES + key.length);
    result.writeUInt32BE(placeId);
    key.copy(result, PLACE_BYTES);
    return result;
  }

  function keysOf(index: Index, document: StoredDocument | undefined): Map<string, Buffer> {
    const keys = new Map<string, Buffer>();
    if (document === undefined) return keys;
    const entries = entryKeysOf(index.definition, document);
    if (entries.keys.length === 0) return keys;
    const placeId = claimPlaceId(placeOf(index.definition, document.name));
    for (const key of entries.keys) {
      const whole = placed(placeId, key);
      keys.set(whole.toString('latin1'), whole);
    }
    if (entries.isCut && !index.hasCutValues) {
      statements.markCut.run([index.id]);
      index.hasCutValues = true;
    }
    return keys;
  }

  function build(index: Index): void {
    const entries: { key: Buffer; row: number }[] = [];
    let after = Buffer.alloc(0);
    for (;;) {
      const rows = statements.group.all(
        Buffer.from(index.definition.collectionId),
        after,
        DOCUMENTS_PER_BUILD_STEP,
      ) as [number, ...DocumentRow][];
      for (const [row, ...columns] of rows) {
        for (const key of keysOf(index, documentOf(columns)).values()) entries.push({ key, row });
      }
      if (rows.length < DOCUMENTS_PER_BUILD_STEP) break;
      after = Buffer.from(rows.at(-1)![1]);
    }
    // A b-tree that is filled in its order stays dense, and is filled several times faster.
    entries.sort((left, right) => Buffer.compare(left.key, right.key));
    for (const { key, row } of entries) statements.add.run(index.id, key, row);
  }

  return {
    ensure(definition) {
      const key = definitionKeyOf(definition);
      const siblings = indexesOf.get(definition.collectionId);
      const known = siblings?.get(key);
      if (known !== undefined) return known;
      if ((siblings?.size ?? 0) >= maxIndexes) return undefined;
      const index = database.transaction(() => {
        const id = Number(statements.addIndex.run([key]).lastInsertRowid);
        const added: Index = { id, definition, hasCutValues: false };
        build(added);
        return added;
      })();
      register(key, index);
      return index;
    },
    isIndexed: (name) => indexesOf.has(lastSegmentOf(parentOf(name))),
    enter(before, after, row) {
      const name = (after ?? before)!.name;
      for (const index of indexesOf.get(lastSegmentOf(parentOf(name)))?.values() ?? []) {
        const old = keysOf(index, before);
        const fresh = keysOf(index, after);
        for (const [text, key] of old) if (!fresh.has(text)) statements.remove.run(index.id, key);
        for (const [text, key] of fresh) if (!old.has(text)) statements.add.run(index.id, key, row);
      }
    },
    read(index, place, { lower, upper }, { isReverse, count }) {
      const placeId = placeIdOf(place);
      if (placeId === undefined) return [];
      const statement = isReverse ? statements.backwards : statements.forwards;
      const rows = statement.all(index.id, placed(placeId, lower), placed(placeId, upper), count) as [
        Buffer,
        ...DocumentRow,
      ][];
      return rows.map(([key, ...row]) => ({ key: key.subarray(PLACE_BYTES), row }));
    },
    count(index, place, { lower, upper }) {
      const placeId = placeIdOf(place);
      if (placeId === undefined) return 0;
      return (statements.count.get(index.id, placed(placeId, lower), placed(placeId, upper)) as [number])[0];
    },
    forgetUncommitted: () => placeIds.clear(),
    definitions: () =>
      [...indexesOf.values()].flatMap((siblings) =>
        [...siblings.values()].map(({ definition }) => definition),
      ),
  };
}
