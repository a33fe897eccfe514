/** Hashes passwords with scrypt and checks them in constant time, those too that another system hashed. */
import { randomBytes, type ScryptOptions, scrypt, timingSafeEqual } from 'node:crypto';
import { type ImportedHash, matchesImportedHash } from './imported-passwords.ts';

/** Node's defaults, as OWASP's smallest profile for scrypt has it at r=8: 16 MiB and some 50 ms a hash. */
const cost = { N: 2 ** 14, r: 8, p: 1 };
const keyBytes = 32;

/** The vendor's rule for a password. */
export const minimumPasswordLength = 6;

/** `scrypt$N$r$p$salt$key`, salt and key in base64url. */
export async function hashPassword(password: string): Promise<string> {
  const salt = randomBytes(16);
  const key = await derive(password, salt, cost);
  return ['scrypt', cost.N, cost.r, cost.p, salt.toString('base64url'), key.toString('base64url')].join('$');
}

/** An imported hash as the store keeps it, until its owner signs in and it can be hashed anew. */
export function encodeImportedHash(imported: ImportedHash): string {
  return JSON.stringify(imported);
}

/** Whether the hash came from another system. */
export function isImportedHash(encoded: string): boolean {
  return encoded.startsWith('{');
}

/**
 * Hash and salt of a password that was hashed here, as base64url; an import elsewhere names STANDARD_SCRYPT with memory cost
 * 16384, block size 8, parallelization 1 and 32 bytes. Null for an imported hash, whose algorithm an export could not tell.
 */
export function exportedHash(encoded: string): { passwordHash: string; salt: string } | null {
  if (isImportedHash(encoded)) return null;
  const [, , , , salt = '', passwordHash = ''] = encoded.split('$');
  return { passwordHash, salt };
}

/** Whether the password is the one that was hashed. */
export async function isPassword(password: string, encoded: string): Promise<boolean> {
  if (isImportedHash(encoded)) return matchesImportedHash(password, JSON.parse(encoded) as ImportedHash);
  const [, N, r, p, salt = '', key = ''] = encoded.split('$');
  const expected = Buffer.from(key, 'base64url');
  const options = { N: Number(N), r: Number(r), p: Number(p) };
  const actual = await derive(password, Buffer.from(salt, 'base64url'), options);
  return actual.length === expected.length && timingSafeEqual(actual, expected);
}

function derive(password: string, salt: Buffer, options: ScryptOptions): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    scrypt(password, salt, keyBytes, options, (error, key) =>
      error === null ? resolve(key) : reject(error),
    );
  });
}
