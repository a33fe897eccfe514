/** The durable index of objects: which names exist, with which bytes, in which generation. Every change is one transaction. */
import type { SqliteDatabase } from '../database.ts';
import { noSuchObject } from './errors.ts';
import { afterPrefix } from './names.ts';
import type { StoredObject } from './object.ts';
import { ensurePreconditions, type Preconditions } from './preconditions.ts';
import type { StorageTriggers } from './triggers.ts';

/** The table of objects, and the last generation given out, so that no generation ever comes twice. */
export const objectsSchema = `
  CREATE TABLE IF NOT EXISTS objects (
    bucket TEXT NOT NULL, name TEXT NOT NULL, content_id TEXT NOT NULL, record TEXT NOT NULL, PRIMARY KEY (bucket, name)
  ) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS last_generation (id INTEGER PRIMARY KEY CHECK (id = 0), generation INTEGER NOT NULL);
  INSERT OR IGNORE INTO last_generation VALUES (0, 0)
`;

/** One page of a list. `prefixes` are the folders that the delimiter makes. */
type ObjectPage = { objects: StoredObject[]; prefixes: string[]; nextPageToken?: string };

/** What a list asks for. */
export type ListQuery = {
  prefix: string;
  delimiter: string;
  maxResults: number;
  pageToken: string | undefined;
  /** First name that may appear. */
  startOffset?: string | undefined;
  /** First name that may not. */
  endOffset?: string | undefined;
  /** Names for which it says no are left out, and their folders with them. */
  matches?: ((name: string) => boolean) | undefined;
  /** Whether an object that is named like a folder (`a/`) is listed beside the prefix. */
  includeTrailingDelimiter?: boolean;
};

/** What the writer of a new generation gives; the index adds generation and times. */
export type NewObject = Omit<StoredObject, 'generation' | 'metageneration' | 'createdAt' | 'updatedAt'>;

/** Synchronous, so that checks and writes cannot be interleaved. */
export type ObjectIndex = {
  find(bucket: string, name: string): StoredObject | null;
  /** Makes the object, or a new generation of it. Returns also the old generation, to whose bytes nothing refers any more. */
  put(
    object: NewObject,
    expected: Preconditions,
    /** Writes that must happen together with this one. */
    together?: (object: StoredObject) => void,
  ): { object: StoredObject; replaced: StoredObject | null };
  /** Changes metadata or ACL of the current generation. */
  change(
    bucket: string,
    name: string,
    expected: Preconditions,
    change: (object: StoredObject) => Pick<StoredObject, 'fields' | 'acl'>,
  ): StoredObject;
  /** Removes and returns the object. */
  remove(bucket: string, name: string, expected: Preconditions): StoredObject;
  list(bucket: string, query: ListQuery): ObjectPage;
  contentIds(): Set<string>;
};

type Row = { record: string };

/**
 * Builds the index over an open database that has `objectsSchema`. `clock` gives milliseconds since 1970; `triggers` records
 * the events of a change together with it.
 */
export function createObjectIndex(
  database: SqliteDatabase,
  clock: () => number,
  triggers: Pick<StorageTriggers, 'record' | 'wake'> = { record() {}, wake() {} },
): ObjectIndex {
  const one = database.prepare<unknown[]>('SELECT record FROM objects WHERE bucket = ? AND name = ?');
  const upsert = database.prepare<unknown[]>('INSERT OR REPLACE INTO objects VALUES (?, ?, ?, ?)');
  const erase = database.prepare<unknown[]>('DELETE FROM objects WHERE bucket = ? AND name = ?');
  const page = database.prepare<unknown[]>(
    'SELECT record FROM objects WHERE bucket = ? AND name >= ? ORDER BY name LIMIT ?',
  );
  const lastGeneration = database.prepare('SELECT generation FROM last_generation');
  const saveGeneration = database.prepare<unknown[]>('UPDATE last_generation SET generation = ?');

  function find(bucket: string, name: string): StoredObject | null {
    const row = one.get(bucket, name) as Row | undefined;
    return row === undefined ? null : (JSON.parse(row.record) as StoredObject);
  }
  function existing(bucket: string, name: string, expected: Preconditions): StoredObject {
    const object = find(bucket, name);
    if (object === null) throw noSuchObject(bucket, name);
    ensurePreconditions(object, expected);
    return object;
  }
  function save(object: StoredObject): StoredObject {
    upsert.run(object.bucket, object.name, object.contentId, JSON.stringify(object));
    return object;
  }
  /** Microseconds since 1970, as in the cloud, and never the same twice even if the clock is set back. */
  function nextGeneration(): number {
    const { generation } = lastGeneration.get() as { generation: number };
    const next = Math.max(clock() * 1000, generation + 1);
    saveGeneration.run(next);
    return next;
  }
  const put = database.transaction((...[object, expected, together]: Parameters<ObjectIndex['put']>) => {
    const current = find(object.bucket, object.name);
    ensurePreconditions(current, expected);
    const now = clock();
    const times = { createdAt: now, updatedAt: now };
    const saved = save({ ...object, ...times, generation: nextGeneration(), metageneration: 1 });
    together?.(saved);
    if (current !== null) triggers.record('deleted', current);
    triggers.record('finalized', saved);
    return { object: saved, replaced: current };
  });
  const change = database.transaction(
    (...[bucket, name, expected, work]: Parameters<ObjectIndex['change']>): StoredObject => {
      const object = existing(bucket, name, expected);
      const { fields, acl } = work(object);
      const metageneration = object.metageneration + 1;
      const saved = save({ ...object, fields, acl, metageneration, updatedAt: clock() });
      triggers.record('metadataUpdated', saved);
      return saved;
    },
  );
  const remove = database.transaction((bucket: string, name: string, expected: Preconditions) => {
    const object = existing(bucket, name, expected);
    erase.run(bucket, name);
    triggers.record('deleted', object);
    return object;
  });
  /** Events are delivered when the transaction that holds them is over. */
  function waking<Given extends unknown[], Result>(work: (...given: Given) => Result) {
    return (...given: Given): Result => {
      const result = work(...given);
      triggers.wake();
      return result;
    };
  }
  return {
    find,
    put: waking(put),
    change: waking(change),
    remove: waking(remove),
    list: (bucket, query) =>
      listPage(query, (from, limit) =>
        (page.all(bucket, from, limit) as Row[]).map((row) => JSON.parse(row.record) as StoredObject),
      ),
    contentIds() {
      const rows = database.prepare('SELECT content_id FROM objects').all() as { content_id: string }[];
      return new Set(rows.map((row) => row.content_id));
    },
  };
}

/** Walks the names in order, folding those that share a folder into one prefix and jumping over the rest of it. */
function listPage(query: ListQuery, read: (from: string, limit: number) => StoredObject[]): ObjectPage {
  const { prefix, delimiter, maxResults, pageToken } = query;
  const result: ObjectPage = { objects: [], prefixes: [] };
  const end = query.endOffset === '' ? undefined : query.endOffset;
  let from: string | null = pageToken ?? later(prefix, query.startOffset ?? '');
  while (from !== null) {
    const wanted = maxResults - result.objects.length - result.prefixes.length;
    const [first, ...others] = read(from, wanted + 1);
    if (first === undefined) break;
    let next: string | null = null;
    for (const object of [first, ...others]) {
      const { name } = object;
      if (!name.startsWith(prefix) || (end !== undefined && later(name, end) === name)) return result;
      if (result.objects.length + result.prefixes.length === maxResults) {
        return { ...result, nextPageToken: name };
      }
      // U+0000 sorts before every other character: the next possible name.
      next = `${name}\0`;
      if (query.matches?.(name) === false) continue;
      const folderEnd = delimiter === '' ? -1 : name.indexOf(delimiter, prefix.length);
      const isFolder = folderEnd >= 0 && folderEnd + delimiter.length === name.length;
      if (isFolder && query.includeTrailingDelimiter === true) result.objects.push(object);
      if (folderEnd >= 0) {
        const folder = name.slice(0, folderEnd + delimiter.length);
        result.prefixes.push(folder);
        next = afterPrefix(folder);
        break;
      }
      result.objects.push(object);
    }
    from = next;
  }
  return result;
}

/** The later of two names in the order of their UTF-8 bytes, which is not JavaScript's for emoji. */
function later(one: string, other: string): string {
  return Buffer.compare(Buffer.from(one), Buffer.from(other)) >= 0 ? one : other;
}
