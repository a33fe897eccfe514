/** The durable store of accounts, refresh tokens and the project's few settings. */
import type { SqliteDatabase } from '../database.ts';
import type { Account } from './account.ts';

/** The tables of the Auth database. Unique columns lie beside the record, so that the database refuses doubles. */
export const accountsSchema = `
  CREATE TABLE IF NOT EXISTS accounts (
    local_id TEXT PRIMARY KEY, email TEXT UNIQUE, phone_number TEXT UNIQUE, record TEXT NOT NULL
  ) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS sessions (token_hash TEXT PRIMARY KEY, session TEXT NOT NULL) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS settings (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID
`;

/** Raise it with the tables. */
export const accountsSchemaVersion = 1;

/** What a refresh token stands for. */
type StoredSession = {
  localId: string;
  signInProvider: string;
  /** Claims that a custom token brought, repeated in every ID token of the session. */
  extraClaims: Record<string, unknown>;
  authTimeSeconds: number;
};

/** Reads and writes; every write is on disk when the call returns. */
export type AccountStore = {
  find(localId: string): Account | null;
  findByEmail(email: string): Account | null;
  findByPhoneNumber(phoneNumber: string): Account | null;
  findByProvider(providerId: string, rawId: string): Account | null;
  /** Inserts or replaces. */
  save(account: Account): void;
  delete(localId: string): void;
  deleteAll(): void;
  /** In the order of ids, those after `afterLocalId`. */
  list(afterLocalId: string, limit: number): Account[];
  saveSession(tokenHash: string, session: StoredSession): void;
  /** Sessions stay known when they are revoked and when their account is gone: each is an error of its own. */
  findSession(tokenHash: string): StoredSession | null;
  setting(name: string): string | null;
  saveSetting(name: string, value: string): void;
};

type AccountRow = { record: string };

/** Builds the store over an open database that has `accountsSchema`. */
export function createAccountStore(database: SqliteDatabase): AccountStore {
  const one = (sql: string) => {
    const statement = database.prepare<unknown[]>(sql);
    return (...values: unknown[]): Account | null => {
      const row = statement.get(...values) as AccountRow | undefined;
      return row === undefined ? null : (JSON.parse(row.record) as Account);
    };
  };
  const upsert = database.prepare<unknown[]>(
    `INSERT INTO accounts (local_id, email, phone_number, record) VALUES (?, ?, ?, ?) ON CONFLICT (local_id)
     DO UPDATE SET email = excluded.email, phone_number = excluded.phone_number, record = excluded.record`,
  );
  const page = database.prepare<unknown[]>(
    'SELECT record FROM accounts WHERE local_id > ? ORDER BY local_id LIMIT ?',
  );
  const remove = database.prepare<unknown[]>('DELETE FROM accounts WHERE local_id = ?');
  const insertSession = database.prepare<unknown[]>(
    'INSERT INTO sessions (token_hash, session) VALUES (?, ?)',
  );
  const oneSession = database.prepare<unknown[]>('SELECT session FROM sessions WHERE token_hash = ?');
  const oneSetting = database.prepare<unknown[]>('SELECT value FROM settings WHERE name = ?');
  const upsertSetting = database.prepare<unknown[]>(
    'INSERT INTO settings (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value',
  );
  return {
    find: one('SELECT record FROM accounts WHERE local_id = ?'),
    findByEmail: one('SELECT record FROM accounts WHERE email = ?'),
    findByPhoneNumber: one('SELECT record FROM accounts WHERE phone_number = ?'),
    findByProvider: one(
      `SELECT record FROM accounts, json_each(record, '$.providerLinks') AS link
       WHERE link.value ->> 'providerId' = ? AND link.value ->> 'rawId' = ?`,
    ),
    save(account) {
      upsert.run(account.localId, account.email, account.phoneNumber, JSON.stringify(account));
    },
    delete(localId) {
      remove.run(localId);
    },
    deleteAll() {
      database.exec('DELETE FROM accounts');
    },
    list(afterLocalId, limit) {
      const rows = page.all(afterLocalId, limit) as AccountRow[];
      return rows.map((row) => JSON.parse(row.record) as Account);
    },
    saveSession(tokenHash, session) {
      insertSession.run(tokenHash, JSON.stringify(session));
    },
    findSession(tokenHash) {
      const row = oneSession.get(tokenHash) as { session: string } | undefined;
      return row === undefined ? null : (JSON.parse(row.session) as StoredSession);
    },
    setting(name) {
      return (oneSetting.get(name) as { value: string } | undefined)?.value ?? null;
    },
    saveSetting(name, value) {
      upsertSetting.run(name, value);
    },
  };
}
