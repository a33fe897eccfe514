/** The codes that Firebase would mail or text to people: made, read by tests and by the person at the console, used once. */
import type { SqliteDatabase } from '../database.ts';

/** What a mailed code is for. */
export type EmailCodePurpose =
  | 'PASSWORD_RESET'
  | 'VERIFY_EMAIL'
  | 'VERIFY_AND_CHANGE_EMAIL'
  | 'EMAIL_SIGNIN'
  | 'RECOVER_EMAIL';

/** A mailed code, in the shape of the emulator's `oobCodes` list, with its time. */
export type EmailCode = {
  oobCode: string;
  requestType: EmailCodePurpose;
  /** To whom it is mailed; of a change of address, the old one. */
  email: string;
  newEmail?: string;
  oobLink: string;
  /** Milliseconds since 1970. */
  createdAt: number;
};

/** A texted code, in the shape of the emulator's `verificationCodes` list, with its time. */
export type PhoneCode = { sessionInfo: string; phoneNumber: string; code: string; createdAt: number };

/**
 * Proof of a number that belongs to another account: the caller may sign in there with it. One hour, as little as makes
 * sense for "sign in with the other account instead".
 */
type PhoneProof = { temporaryProof: string; phoneNumber: string; createdAt: number };

/** The table of codes, by kind and the secret that names one. */
export const codesSchema = `
  CREATE TABLE IF NOT EXISTS codes (
    kind TEXT NOT NULL, secret TEXT NOT NULL, record TEXT NOT NULL, PRIMARY KEY (kind, secret)
  )
`;

/** Reads and writes one kind of codes; every write is on disk when the call returns. */
type CodesOfOneKind<Code> = {
  find(secret: string): Code | null;
  save(secret: string, code: Code): void;
  delete(secret: string): void;
  /** Oldest first. */
  all(): Code[];
};

/** All codes that have not been used. */
export type CodeStore = {
  email: CodesOfOneKind<EmailCode>;
  phone: CodesOfOneKind<PhoneCode>;
  phoneProofs: CodesOfOneKind<PhoneProof>;
};

/** Builds the store over an open database that has `codesSchema`. */
export function createCodeStore(database: SqliteDatabase): CodeStore {
  const one = database.prepare<unknown[]>('SELECT record FROM codes WHERE kind = ? AND secret = ?');
  const upsert = database.prepare<unknown[]>('INSERT OR REPLACE INTO codes VALUES (?, ?, ?)');
  const remove = database.prepare<unknown[]>('DELETE FROM codes WHERE kind = ? AND secret = ?');
  const every = database.prepare<unknown[]>('SELECT record FROM codes WHERE kind = ? ORDER BY rowid');
  function kind<Code>(name: string): CodesOfOneKind<Code> {
    return {
      find(secret) {
        const row = one.get(name, secret) as { record: string } | undefined;
        return row === undefined ? null : (JSON.parse(row.record) as Code);
      },
      save(secret, code) {
        upsert.run(name, secret, JSON.stringify(code));
      },
      delete(secret) {
        remove.run(name, secret);
      },
      all: () => (every.all(name) as { record: string }[]).map(({ record }) => JSON.parse(record) as Code),
    };
  }
  return { email: kind('email'), phone: kind('phone'), phoneProofs: kind('phone-proof') };
}
