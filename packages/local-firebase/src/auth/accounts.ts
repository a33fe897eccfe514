/** The durable store of accounts, refresh tokens and the project's few settings. */
import type { SqliteDatabase } from '../database.ts';
import { type Account, emptyAccount, type ProviderLink } from './account.ts';

/** The tables of the Auth database. Unique columns lie beside the record, so that the database refuses doubles. */
export const accountsSchema = `
  CREATE TABLE IF NOT EXISTS accounts (
    local_id TEXT PRIMARY KEY, email TEXT UNIQUE, phone_number TEXT UNIQUE, record TEXT NOT NULL
  ) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS provider_links (
    provider_id TEXT NOT NULL, raw_id TEXT NOT NULL, local_id TEXT NOT NULL, PRIMARY KEY (provider_id, raw_id)
  ) WITHOUT ROWID;
  CREATE INDEX IF NOT EXISTS provider_links_by_account ON provider_links (local_id);
  INSERT OR IGNORE INTO provider_links SELECT link.value ->> 'providerId', link.value ->> 'rawId', local_id
    FROM accounts, json_each(record, '$.providerLinks') AS link;
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
  /** The account that had this address first and has another one now. */
  findByInitialEmail(email: string): Account | null;
  /** Everybody's link to one provider, at most 100. */
  linksOfProvider(providerId: string): ProviderLink[];
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

/** A record that an older version wrote lacks the fields that came later. */
function accountOf({ record }: AccountRow): Account {
  return { ...emptyAccount('', 0), ...(JSON.parse(record) as Account) };
}

/** Builds the store over an open database that has `accountsSchema`. */
export function createAccountStore(database: SqliteDatabase): AccountStore {
  const one = (sql: string) => {
    const statement = database.prepare<unknown[]>(sql);
    return (...values: unknown[]): Account | null => {
      const row = statement.get(...values) as AccountRow | undefined;
      return row === undefined ? null : accountOf(row);
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
  const ofProvider = database.prepare<unknown[]>(
    'SELECT record FROM accounts JOIN provider_links USING (local_id) WHERE provider_id = ? LIMIT 100',
  );
  const link = database.prepare<unknown[]>('INSERT INTO provider_links VALUES (?, ?, ?)');
  const unlink = database.prepare<unknown[]>('DELETE FROM provider_links WHERE local_id = ?');
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
      'SELECT record FROM accounts JOIN provider_links USING (local_id) WHERE provider_id = ? AND raw_id = ?',
    ),
    findByInitialEmail: one("SELECT record FROM accounts WHERE record ->> 'initialEmail' = ?"),
    linksOfProvider(providerId) {
      const rows = ofProvider.all(providerId) as AccountRow[];
      return rows.flatMap((row) =>
        accountOf(row).providerLinks.filter((each) => each.providerId === providerId),
      );
    },
    save: database.transaction((account: Account) => {
      upsert.run(account.localId, account.email, account.phoneNumber, JSON.stringify(account));
      unlink.run(account.localId);
      for (const { providerId, rawId } of account.providerLinks) link.run(providerId, rawId, account.localId);
    }),
    delete: database.transaction((localId: string) => {
      unlink.run(localId);
      remove.run(localId);
    }),
    deleteAll() {
      database.exec('BEGIN; DELETE FROM provider_links; DELETE FROM accounts; COMMIT');
    },
    list(afterLocalId, limit) {
      const rows = page.all(afterLocalId, limit) as AccountRow[];
      return rows.map(accountOf);
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
