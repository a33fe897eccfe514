/** Resumable uploads: what was asked for and how each ended, kept on disk so that they outlive a restart. */
import type { SqliteDatabase } from '../database.ts';
import type { Checksums } from './checksums.ts';
import { StorageRequestError } from './errors.ts';
import type { AclEntry, ObjectFields, StoredObject } from './object.ts';
import type { Preconditions } from './preconditions.ts';

/** The table of sessions. */
export const uploadSessionsSchema = `
  CREATE TABLE IF NOT EXISTS uploads (
    id TEXT PRIMARY KEY, request TEXT NOT NULL, created_at INTEGER NOT NULL, object TEXT
  ) WITHOUT ROWID
`;

/** Everything about an upload but its bytes. */
export type UploadRequest = {
  bucket: string;
  name: string;
  fields: ObjectFields;
  /** Null when the client asks for none: a bucket that refuses ACLs takes only that. */
  acl: AclEntry[] | null;
  expected: Preconditions;
  /** What the client says the hashes are. */
  checksums: Partial<Checksums>;
  /** How many bytes the client said that it would send; any number when absent. */
  announcedBytes?: number;
};

/** `object` is there once the upload is finished. */
type UploadSession = { id: string; request: UploadRequest; object: StoredObject | null };

/** The cloud forgets a session after a week. */
const lifetimeMs = 7 * 24 * 3600 * 1000;

/** Makes, finds and ends sessions. */
export type UploadSessions = {
  start(id: string, request: UploadRequest): void;
  /** @throws StorageRequestError 404 */
  get(id: string | undefined): UploadSession;
  finish(id: string, object: StoredObject): void;
  cancel(id: string): void;
  openIds(): Set<string>;
  removeExpired(): void;
  /** Runs the work when no other work for that session is running: a retried request may meet its own earlier try. */
  alone<T>(id: string, work: () => Promise<T>): Promise<T>;
};

/** Builds them over an open database that has `uploadSessionsSchema`. */
export function createUploadSessions(database: SqliteDatabase, clock: () => number): UploadSessions {
  const insert = database.prepare<unknown[]>(
    'INSERT INTO uploads (id, request, created_at) VALUES (?, ?, ?)',
  );
  const one = database.prepare<unknown[]>(
    'SELECT request, object FROM uploads WHERE id = ? AND created_at >= ?',
  );
  const setObject = database.prepare<unknown[]>('UPDATE uploads SET object = ? WHERE id = ?');
  const erase = database.prepare<unknown[]>('DELETE FROM uploads WHERE id = ?');
  const running = new Map<string, Promise<unknown>>();
  return {
    start(id, request) {
      insert.run(id, JSON.stringify(request), clock());
    },
    get(id = '') {
      const row = one.get(id, clock() - lifetimeMs) as { request: string; object: string | null } | undefined;
      if (row === undefined) {
        const message = `There is no upload session "${id}": it was cancelled, or is older than a week.`;
        throw new StorageRequestError(404, 'notFound', message);
      }
      return {
        id,
        request: JSON.parse(row.request) as UploadRequest,
        object: row.object === null ? null : (JSON.parse(row.object) as StoredObject),
      };
    },
    finish(id, object) {
      setObject.run(JSON.stringify(object), id);
    },
    cancel(id) {
      erase.run(id);
    },
    openIds() {
      const rows = database.prepare('SELECT id FROM uploads WHERE object IS NULL').all() as { id: string }[];
      return new Set(rows.map((row) => row.id));
    },
    removeExpired() {
      database.prepare<unknown[]>('DELETE FROM uploads WHERE created_at < ?').run(clock() - lifetimeMs);
    },
    async alone(id, work) {
      const before = running.get(id) ?? Promise.resolve();
      const mine = before.then(work, work);
      running.set(id, mine);
      try {
        return await mine;
      } finally {
        if (running.get(id) === mine) running.delete(id);
      }
    },
  };
}
