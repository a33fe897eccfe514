/** The versions of a store: how far it is, what has changed since when, and which deletions are still known. */
import { randomBytes } from 'node:crypto';
import type { SqliteDatabase } from '../database.ts';
import { StatusError } from './status.ts';

export const HISTORY_SCHEMA = `
  CREATE TABLE IF NOT EXISTS removed_documents (name BLOB PRIMARY KEY, version INTEGER NOT NULL);
  CREATE INDEX IF NOT EXISTS removed_documents_by_version ON removed_documents (version);
  CREATE TABLE IF NOT EXISTS version_gaps (after_version INTEGER PRIMARY KEY, before_version INTEGER NOT NULL);
  CREATE TABLE IF NOT EXISTS state (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    epoch TEXT NOT NULL,
    version INTEGER NOT NULL,
    commit_micros INTEGER NOT NULL,
    history_from INTEGER NOT NULL
  )`;

// Each opening skips this many versions: after a power cut the newest commits may be gone, and tokens that were given for
// them must not be taken for tokens of later commits. The write-ahead log is synced long before it holds so many.
const VERSIONS_SKIPPED_AT_OPEN = 2 ** 20;

/** How many deletions a resume token can see. Older tokens start over. */
const REMOVED_DOCUMENTS_KEPT = 10_000;
const COMMITS_BETWEEN_PRUNINGS = 1024;

export type History = {
  /** Names this file's history: versions of another epoch mean nothing here. */
  readonly epoch: string;
  /** The version of the newest commit. */
  version(): number;
  /** The time of the newest commit, in microseconds. */
  commitMicros(): number;
  /** Inside the transaction of a commit: the document is there, or it is gone. */
  enter(key: Buffer, isThere: boolean, version: number): void;
  /** Inside the transaction, at its end. @throws StatusError UNAVAILABLE when another process has opened the file. */
  advance(version: number, commitMicros: number): void;
  /** After the transaction. */
  advanced(version: number, commitMicros: number): void;
  /** Names that changed after a version, or undefined where the history does not reach back or never was. */
  changedSince(version: number): string[] | undefined;
};

/** @param file Only for what errors say. */
export function openHistory(database: SqliteDatabase, file: string): History {
  const prepare = (sql: string) => database.prepare(sql).raw();
  const statements = {
    remember: database.prepare('INSERT OR REPLACE INTO removed_documents (name, version) VALUES (?, ?)'),
    forget: database.prepare('DELETE FROM removed_documents WHERE name = ?'),
    state: database.prepare('UPDATE state SET version = ?, commit_micros = ? WHERE version = ?'),
    changed: prepare(
      'SELECT name FROM documents WHERE version > ?1 UNION ALL SELECT name FROM removed_documents WHERE version > ?1',
    ),
    gap: prepare('SELECT 1 FROM version_gaps WHERE after_version < ?1 AND before_version > ?1'),
    cut: prepare('SELECT version FROM removed_documents ORDER BY version DESC LIMIT 1 OFFSET ?'),
  };
  const opened = database.transaction(open)();
  let { version, commitMicros, from } = opened;

  function open(): { epoch: string; version: number; commitMicros: number; from: number } {
    const found = prepare('SELECT epoch, version, commit_micros, history_from FROM state').get() as
      | [string, number, number, number]
      | undefined;
    if (found === undefined) {
      const epoch = randomBytes(6).toString('hex');
      database.prepare('INSERT INTO state VALUES (1, ?, 0, 0, 0)').run(epoch);
      return { epoch, version: 0, commitMicros: 0, from: 0 };
    }
    const [epoch, lastVersion, lastCommitMicros, lastFrom] = found;
    const nextVersion = lastVersion + VERSIONS_SKIPPED_AT_OPEN;
    database.prepare('INSERT OR REPLACE INTO version_gaps VALUES (?, ?)').run(lastVersion, nextVersion);
    database.prepare('UPDATE state SET version = ?').run(nextVersion);
    return { epoch, version: nextVersion, commitMicros: lastCommitMicros, from: prune(lastFrom) };
  }

  /** Forgets the oldest deletions beyond the number kept. Returns the version that the history now reaches back to. */
  function prune(lastFrom: number): number {
    const cut = statements.cut.get(REMOVED_DOCUMENTS_KEPT) as [number] | undefined;
    if (cut === undefined) return lastFrom;
    database.prepare('DELETE FROM removed_documents WHERE version <= ?').run(cut[0]);
    database.prepare('DELETE FROM version_gaps WHERE before_version <= ?').run(cut[0]);
    database.prepare('UPDATE state SET history_from = ?').run(cut[0]);
    return cut[0];
  }

  return {
    epoch: opened.epoch,
    version: () => version,
    commitMicros: () => commitMicros,
    enter(key, isThere, newVersion) {
      if (isThere) statements.forget.run([key]);
      else statements.remember.run(key, newVersion);
    },
    advance(newVersion, newCommitMicros) {
      // A newer opening has moved the version on: what this process has in memory is no longer what is stored.
      if (statements.state.run(newVersion, newCommitMicros, version).changes !== 1) {
        throw new StatusError('UNAVAILABLE', `Another process has opened ${file}: this one writes no more.`);
      }
      if (newVersion % COMMITS_BETWEEN_PRUNINGS === 0) from = prune(from);
    },
    advanced(newVersion, newCommitMicros) {
      version = newVersion;
      commitMicros = newCommitMicros;
    },
    changedSince(since) {
      if (since < from || since > version || statements.gap.get(since) !== undefined) return undefined;
      return (statements.changed.all(since) as [Buffer][]).map(([name]) => name.toString());
    },
  };
}
