/** The documents on disk: one libsql file, indexed by collection, with the versions that resume tokens need. */
import { openDatabase } from '../database.ts';
import {
  createEventQueue,
  EVENT_QUEUE_SCHEMA,
  type EventQueue,
  type NewEvent,
} from '../events/event-queue.ts';
import { createCollectionNames } from './collection-names.ts';
import { createDocumentCache } from './document-cache.ts';
import { HISTORY_SCHEMA, type History, openHistory } from './history.ts';
import type { IndexDefinition } from './indexes/definition.ts';
import { createIndexTable, type DocumentRow, INDEX_SCHEMA, type Index } from './indexes/index-table.ts';
import type { IndexScan } from './indexes/plan.ts';
import type { Fields } from './messages.ts';
import { compareUtf8, lastSegmentOf, parentOf } from './path.ts';
import { decodeMessage, encodeMessage } from './protos.ts';
import { isInScope, type Scope } from './scope.ts';
import type { StoredDocument } from './stored-document.ts';

export type Store = Pick<History, 'epoch' | 'version' | 'commitMicros'> & {
  read(name: string): StoredDocument | undefined;
  /** The documents of a scope in no promised order. */
  scan(scope: Scope): Iterable<StoredDocument>;
  /** The names of the documents of a scope in no promised order. */
  scanNames(scope: Scope): string[];
  /** How many documents the scope has; undefined when it has no index of its own. */
  countDocuments(scope: Scope): number | undefined;
  /** Whether the scope has so few documents that a scan of them beats an index. */
  isSmall(scope: Scope): boolean;
  /** The index, made when there is none; undefined when there are too many already. */
  ensureIndex(definition: IndexDefinition): Index | undefined;
  /** The documents of an index range in its order. `expected` is how many the caller will probably take. */
  scanIndex(index: Index, scan: IndexScan, expected: number): Iterable<StoredDocument>;
  /** How many entries an index range has. */
  countIndex(index: Index, scan: IndexScan): number;
  /** Ids one level below `prefix`, whether a document is there or only further down; sorted by UTF-8. */
  childIds(prefix: string): string[];
  readonly events: EventQueue;
  /** Writes one commit and the events it causes, whole or not at all; it is on disk when this returns. Undefined deletes. */
  commit(
    changes: ReadonlyMap<string, StoredDocument | undefined>,
    version: number,
    commitMicros: number,
    events?: readonly NewEvent[],
  ): void;
  /** Names that changed after a version, or undefined where the history does not reach back or never was. */
  changedSince(scope: Scope, version: number): string[] | undefined;
  close(): void;
};

// Names are BLOBs: libsql cuts a TEXT at its first NUL, and BLOBs sort by UTF-8 as well.
const SCHEMA = `
  CREATE TABLE IF NOT EXISTS documents (
    name BLOB PRIMARY KEY,
    collection BLOB NOT NULL,
    collection_id BLOB NOT NULL,
    fields BLOB NOT NULL,
    create_micros INTEGER NOT NULL,
    update_micros INTEGER NOT NULL,
    version INTEGER NOT NULL
  );
  CREATE INDEX IF NOT EXISTS documents_by_collection ON documents (collection, name);
  CREATE INDEX IF NOT EXISTS documents_by_group ON documents (collection_id, name);
  CREATE INDEX IF NOT EXISTS documents_by_version ON documents (version);
  ${HISTORY_SCHEMA};
  ${INDEX_SCHEMA};
  ${EVENT_QUEUE_SCHEMA}`;
const SCHEMA_VERSION = 2;
/** Version 1 had no indexes; they come into being as they are needed. */
const UPGRADABLE_VERSIONS = [1];

/** What decides between a scan and an index. */
export type StoreLimits = {
  /** In collections and groups of up to so many documents a look at each of them beats an index. */
  smallDocuments: number;
  /** Every index makes writes slower: queries of further shapes scan. */
  indexesPerCollectionId: number;
};
const DEFAULT_LIMITS: StoreLimits = { smallDocuments: 256, indexesPerCollectionId: 64 };

const DOCUMENTS_PER_READ = 1000;

/**
 * @param file Created where there is none. One process at a time: opening it again ends the writes of whoever had it.
 * @throws LocalFirebaseError `data_unreadable`
 */
export function openStore(file: string, limits: StoreLimits = DEFAULT_LIMITS): Store {
  const database = openDatabase(file, SCHEMA, SCHEMA_VERSION, UPGRADABLE_VERSIONS);
  // NORMAL: what was acknowledged survives a kill of this process. A power cut may take the last commits, never the store.
  // The page cache (in KiB) must hold the inner pages of every index, or each write reads and spills pages.
  database.exec('PRAGMA synchronous = NORMAL; PRAGMA cache_size = -65536; PRAGMA temp_store = MEMORY');
  // Rows as arrays. A lone Buffer must be bound inside an array: libsql takes it for named parameters and aborts.
  const prepare = (sql: string) => database.prepare(sql).raw();

  const columns = 'name, fields, create_micros, update_micros, version';
  const statements = {
    read: prepare(`SELECT ${columns} FROM documents WHERE name = ?`),
    names: prepare('SELECT name FROM documents WHERE collection = ? LIMIT ?'),
    collection: prepare(`SELECT ${columns} FROM documents WHERE collection = ?`),
    groupCount: prepare(
      'SELECT count(*) FROM (SELECT 1 FROM documents WHERE collection_id = ? AND name > ? AND name < ? LIMIT ?)',
    ),
    namesBelow: prepare('SELECT name FROM documents WHERE name > ? AND name < ?'),
    collectionCount: prepare('SELECT count(*) FROM documents WHERE collection = ?'),
    row: prepare('SELECT rowid FROM documents WHERE name = ?'),
    group: prepare(`SELECT ${columns} FROM documents WHERE collection_id = ? AND name > ? AND name < ?`),
    range: prepare(`SELECT ${columns} FROM documents WHERE name > ? AND name < ?`),
    firstName: prepare('SELECT name FROM documents WHERE name >= ? AND name < ? ORDER BY name LIMIT 1'),
    put: database.prepare(
      `INSERT INTO documents (name, collection, collection_id, fields, create_micros, update_micros, version)
       VALUES (?, ?, ?, ?, ?, ?, ?)
       ON CONFLICT (name) DO UPDATE SET fields = excluded.fields, create_micros = excluded.create_micros,
         update_micros = excluded.update_micros, version = excluded.version`,
    ),
    remove: database.prepare('DELETE FROM documents WHERE name = ?'),
  };
  const cache = createDocumentCache();
  const names = createCollectionNames(
    (collection, count) =>
      (statements.names.all(Buffer.from(collection), count) as [Buffer][]).map(([name]) => name.toString()),
    limits.smallDocuments,
  );
  const indexes = createIndexTable(database, documentOf, limits.indexesPerCollectionId);
  const events = createEventQueue(database);
  const history = openHistory(database, file);

  function documentOf([
    nameBytes,
    fieldBytes,
    createMicros,
    updateMicros,
    rowVersion,
  ]: DocumentRow): StoredDocument {
    const name = nameBytes.toString();
    const cached = cache.get(name);
    if (cached !== undefined) return cached;
    const { fields = {} } = decodeMessage('MapValue', fieldBytes) as { fields?: Fields };
    const document = { name, fields, createMicros, updateMicros, version: rowVersion };
    cache.set(document, fieldBytes.length);
    return document;
  }

  /** Bounds of the names below a prefix: "0" is the character after "/". */
  const below = (prefix: string): [Buffer, Buffer] => [Buffer.from(`${prefix}/`), Buffer.from(`${prefix}0`)];

  function rowsOf(scope: Scope): DocumentRow[] {
    if (scope.kind === 'collection') {
      return statements.collection.all([Buffer.from(scope.path)]) as DocumentRow[];
    }
    if (scope.kind !== 'group') return statements.range.all(...below(scope.parent)) as DocumentRow[];
    return statements.group.all(Buffer.from(scope.collectionId), ...below(scope.parent)) as DocumentRow[];
  }

  function read(name: string): StoredDocument | undefined {
    const cached = cache.get(name);
    if (cached !== undefined) return cached;
    const row = statements.read.get([Buffer.from(name)]) as DocumentRow | undefined;
    return row === undefined ? undefined : documentOf(row);
  }

  function rowIdOf(key: Buffer): number {
    return (statements.row.get([key]) as [number])[0];
  }

  return {
    epoch: history.epoch,
    version: history.version,
    commitMicros: history.commitMicros,
    read,
    *scan(scope) {
      const small = scope.kind === 'collection' ? names.of(scope.path) : undefined;
      if (small !== undefined) {
        for (const name of small) yield read(name)!;
        return;
      }
      for (const row of rowsOf(scope)) if (isInScope(scope, row[0].toString())) yield documentOf(row);
    },
    scanNames(scope) {
      const [from, end] = below(scope.kind === 'collection' ? scope.path : scope.parent);
      const found = (statements.namesBelow.all(from, end) as [Buffer][]).map(([name]) => name.toString());
      return found.filter((name) => isInScope(scope, name));
    },
    countDocuments(scope) {
      if (scope.kind === 'collection') {
        return (statements.collectionCount.get([Buffer.from(scope.path)]) as [number])[0];
      }
      if (scope.kind !== 'group') return undefined;
      const bounds = [Buffer.from(scope.collectionId), ...below(scope.parent)];
      return (statements.groupCount.get(...bounds, Number.MAX_SAFE_INTEGER) as [number])[0];
    },
    isSmall(scope) {
      if (scope.kind === 'collection') return names.of(scope.path) !== undefined;
      if (scope.kind !== 'group') return false;
      const bounds = [Buffer.from(scope.collectionId), ...below(scope.parent)];
      const [count] = statements.groupCount.get(...bounds, limits.smallDocuments + 1) as [number];
      return count <= limits.smallDocuments;
    },
    ensureIndex: indexes.ensure,
    *scanIndex(index, { place, range, isReverse }, expected) {
      let { lower, upper } = range;
      for (
        let count = Math.min(expected, DOCUMENTS_PER_READ);
        ;
        count = Math.min(count * 3, DOCUMENTS_PER_READ)
      ) {
        const found = indexes.read(index, place, { lower, upper }, { isReverse, count });
        for (const { row } of found) yield documentOf(row);
        if (found.length < count) return;
        const last = found.at(-1)!.key;
        if (isReverse) upper = last;
        else lower = Buffer.concat([last, Buffer.alloc(1)]);
      }
    },
    countIndex: (index, { place, range }) => indexes.count(index, place, range),
    childIds(prefix) {
      const ids = new Set<string>();
      let [from, end] = below(prefix);
      for (;;) {
        const row = statements.firstName.get(from, end) as [Buffer] | undefined;
        if (row === undefined) return [...ids].sort(compareUtf8);
        const id = row[0]
          .toString()
          .slice(prefix.length + 1)
          .split('/', 1)[0]!;
        ids.add(id);
        // One seek an id: past the document itself (another id such as "a-b" may come before "a/…"), or past all below it.
        const child = `${prefix}/${id}`;
        from = row[0].equals(Buffer.from(child)) ? Buffer.concat([row[0], Buffer.alloc(1)]) : below(child)[1];
      }
    },
    events,
    commit(changes, newVersion, newCommitMicros, newEvents = []) {
      const encoded = new Map<string, Buffer>();
      const write = database.transaction(() => {
        for (const [name, document] of changes) {
          const key = Buffer.from(name);
          const isIndexed = indexes.isIndexed(name);
          const before = isIndexed ? read(name) : undefined;
          if (document === undefined) {
            if (before !== undefined) indexes.enter(before, undefined, rowIdOf(key));
            statements.remove.run([key]);
            history.enter(key, false, newVersion);
            continue;
          }
          const fields = encodeMessage('MapValue', { fields: document.fields });
          encoded.set(name, fields);
          const collection = parentOf(name);
          statements.put.run(
            key,
            Buffer.from(collection),
            Buffer.from(lastSegmentOf(collection)),
            fields,
            document.createMicros,
            document.updateMicros,
            document.version,
          );
          if (isIndexed) indexes.enter(before, document, rowIdOf(key));
          history.enter(key, true, newVersion);
        }
        events.add(newEvents);
        history.advance(newVersion, newCommitMicros);
      });
      try {
        write();
      } catch (error) {
        indexes.forgetUncommitted();
        throw error;
      }
      for (const [name, document] of changes) {
        if (document === undefined) {
          cache.delete(name);
          names.remove(name);
        } else {
          cache.set(document, encoded.get(name)!.length);
          names.add(name);
        }
      }
      history.advanced(newVersion, newCommitMicros);
    },
    changedSince(scope, since) {
      return history.changedSince(since)?.filter((name) => isInScope(scope, name));
    },
    close() {
      database.exec('PRAGMA wal_checkpoint(TRUNCATE)');
      database.close();
    },
  };
}
