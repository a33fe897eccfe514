/** Checks passwords against hashes that other systems made, with the algorithms that Firebase imports. */
import { createCipheriv, createHash, createHmac, pbkdf2, scrypt, timingSafeEqual } from 'node:crypto';
import { promisify } from 'node:util';
import bcrypt from 'bcryptjs';
import { AuthRequestError, ensure, notImplemented } from './errors.ts';
import type { RequestFields } from './request-fields.ts';

/** How a batch of imported users was hashed. Keys and separators are base64, either alphabet. */
export type ImportedHashOptions = {
  algorithm: string;
  signerKey: string;
  saltSeparator: string;
  rounds: number;
  /** Of SCRYPT: the exponent of two; of STANDARD_SCRYPT: N itself. */
  memoryCost: number;
  parallelization: number;
  blockSize: number;
  derivedKeyBytes: number;
  saltFirst: boolean;
};

/** One imported hash with all that is needed to check it. `hash` and `salt` are base64. */
export type ImportedHash = ImportedHashOptions & { hash: string; salt: string };

const digests: Record<string, string> = {
  HMAC_SHA512: 'sha512',
  HMAC_SHA256: 'sha256',
  HMAC_SHA1: 'sha1',
  HMAC_MD5: 'md5',
  SHA512: 'sha512',
  SHA256: 'sha256',
  SHA1: 'sha1',
  MD5: 'md5',
  PBKDF_SHA1: 'sha1',
  PBKDF2_SHA256: 'sha256',
};

/** Reads the options of `accounts:batchCreate`. @throws AuthRequestError for an algorithm that Firebase does not know. */
export function importedHashOptions(fields: RequestFields): ImportedHashOptions {
  const algorithm = fields.text('hashAlgorithm');
  ensure(algorithm, 'MISSING_HASH_ALGORITHM');
  const known = algorithm in digests || ['SCRYPT', 'STANDARD_SCRYPT', 'BCRYPT'].includes(algorithm);
  if (!known) throw notImplemented(`the hash algorithm ${algorithm}`);
  const isHmac = algorithm.startsWith('HMAC_');
  const order = fields.text('passwordHashOrder');
  const options = {
    algorithm,
    signerKey: fields.text('signerKey') ?? '',
    saltSeparator: fields.text('saltSeparator') ?? '',
    rounds: fields.integer('rounds') ?? 1,
    memoryCost: fields.integer('memoryCost') ?? fields.integer('cpuMemCost') ?? 1,
    parallelization: fields.integer('parallelization') ?? 1,
    blockSize: fields.integer('blockSize') ?? 8,
    derivedKeyBytes: fields.integer('dkLen') ?? 64,
    // What Firebase takes when no order is named: HMAC(password + salt), but hash(salt + password).
    saltFirst: order === undefined ? !isHmac : order === 'SALT_AND_PASSWORD',
  };
  ensureUsable(options);
  return options;
}

/** Options that no password could be checked with are refused with the import, not at somebody's sign-in. */
function ensureUsable({
  algorithm,
  rounds,
  memoryCost,
  parallelization,
  blockSize,
  derivedKeyBytes,
}: ImportedHashOptions) {
  ensure(rounds >= 0 && rounds <= 120_000, `INVALID_HASH_ROUNDS : ${rounds}`);
  if (algorithm === 'SCRYPT') {
    ensure(rounds >= 1 && rounds <= 8, `INVALID_HASH_ROUNDS : ${rounds}`);
    ensure(memoryCost >= 1 && memoryCost <= 14, `INVALID_HASH_MEMORY_COST : ${memoryCost}`);
  }
  if (algorithm === 'STANDARD_SCRYPT') {
    ensure(
      Number.isInteger(Math.log2(memoryCost)) && memoryCost > 1,
      `INVALID_HASH_MEMORY_COST : ${memoryCost}`,
    );
    ensure(parallelization >= 1, `INVALID_HASH_PARALLELIZATION : ${parallelization}`);
    ensure(blockSize >= 1, `INVALID_HASH_BLOCK_SIZE : ${blockSize}`);
    ensure(
      derivedKeyBytes >= 1 && derivedKeyBytes <= 1024,
      `INVALID_HASH_DERIVED_KEY_LENGTH : ${derivedKeyBytes}`,
    );
    scryptMemory({ N: memoryCost, r: blockSize, p: parallelization });
  }
}

/** Whether the password has that hash. */
export async function matchesImportedHash(password: string, imported: ImportedHash): Promise<boolean> {
  const expected = Buffer.from(imported.hash, 'base64');
  if (imported.algorithm === 'BCRYPT') return bcrypt.compare(password, expected.toString('latin1'));
  const actual = await derive(password, imported, expected.length);
  // Systems that keep a hash as hex digits export the digits.
  return [actual, Buffer.from(actual.toString('hex'))].some(
    (form) => form.length === expected.length && timingSafeEqual(form, expected),
  );
}

async function derive(password: string, imported: ImportedHash, expectedBytes: number): Promise<Buffer> {
  const { algorithm, rounds, saltFirst } = imported;
  const salt = Buffer.from(imported.salt, 'base64');
  const digest = digests[algorithm] ?? '';
  const text = Buffer.from(password);
  const salted = Buffer.concat(saltFirst ? [salt, text] : [text, salt]);
  if (algorithm.startsWith('HMAC_')) {
    return createHmac(digest, Buffer.from(imported.signerKey, 'base64')).update(salted).digest();
  }
  if (algorithm.startsWith('PBKDF')) {
    return promisify(pbkdf2)(password, salt, Math.max(1, rounds), expectedBytes, digest);
  }
  if (algorithm === 'STANDARD_SCRYPT') return standardScrypt(password, salt, imported);
  if (algorithm === 'SCRYPT') return firebaseScrypt(password, salt, imported);
  let hash = createHash(digest).update(salted).digest();
  for (let round = 1; round < rounds; round++) hash = createHash(digest).update(hash).digest();
  return hash;
}

type ScryptCost = { N: number; r: number; p: number; maxmem: number };

const scryptKey = promisify<string, Buffer, number, ScryptCost, Buffer>(scrypt);

function standardScrypt(password: string, salt: Buffer, imported: ImportedHash): Promise<Buffer> {
  const cost = { N: imported.memoryCost, r: imported.blockSize, p: imported.parallelization };
  return scryptKey(password, salt, imported.derivedKeyBytes, { ...cost, maxmem: scryptMemory(cost) });
}

/** Firebase's own: the derived key encrypts the project's signer key (https://github.com/firebase/scrypt). */
async function firebaseScrypt(password: string, salt: Buffer, imported: ImportedHash): Promise<Buffer> {
  const cost = { N: 2 ** imported.memoryCost, r: imported.rounds, p: 1 };
  const salted = Buffer.concat([salt, Buffer.from(imported.saltSeparator, 'base64')]);
  const key = await scryptKey(password, salted, 64, { ...cost, maxmem: scryptMemory(cost) });
  const cipher = createCipheriv('aes-256-ctr', key.subarray(0, 32), Buffer.alloc(16));
  return Buffer.concat([cipher.update(Buffer.from(imported.signerKey, 'base64')), cipher.final()]);
}

/** What OpenSSL needs for the cost, with its own overhead; costs above 512 MiB are refused. */
function scryptMemory({ N, r, p }: { N: number; r: number; p: number }): number {
  const bytes = 128 * r * (N + p + 2);
  if (bytes > 512 * 1024 * 1024) {
    throw new AuthRequestError(`INVALID_HASH_MEMORY_COST : ${bytes} bytes a hash are more than 512 MiB.`);
  }
  return bytes + 1024 * 1024;
}
