/** Opens a libsql file the way every durable service here needs it: made on demand, written ahead, checked for its schema. */
import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import Database from 'libsql';
import { LocalFirebaseError } from './errors.ts';

/** A synchronous connection: `prepare(sql).run/get/all`, `transaction(work)`, `exec`, `close`. */
export type SqliteDatabase = Database.Database;

/**
 * Opens the file and makes the tables of `schema` when it is new.
 *
 * Commits reach the disk before they return (`synchronous = FULL`): what a client was told is stored survives a kill and a power cut.
 *
 * @param version of the schema. A file of another version is refused, not guessed at.
 * @param upgradable Versions to which `schema` only adds: their files become files of this version.
 * @throws LocalFirebaseError `data_unreadable` when the file cannot be opened or has another version.
 */
export function openDatabase(
  file: string,
  schema: string,
  version: number,
  upgradable: readonly number[] = [],
): SqliteDatabase {
  let database: SqliteDatabase | undefined;
  try {
    mkdirSync(dirname(file), { recursive: true });
    database = new Database(file);
    database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;');
    const found = (database.prepare('PRAGMA user_version').get() as { user_version: number }).user_version;
    if (found !== 0 && found !== version && !upgradable.includes(found)) {
      throw new Error(`it has schema version ${found}, expected ${version}`);
    }
    database.exec(`BEGIN; ${schema}; PRAGMA user_version = ${version}; COMMIT;`);
    return database;
  } catch (cause) {
    database?.close();
    const message = `Cannot use the database ${file}: ${(cause as Error).message}. Move the file away to start empty.`;
    throw new LocalFirebaseError('data_unreadable', message, { cause });
  }
}
