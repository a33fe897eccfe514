/** Hashes passwords with scrypt and checks them in constant time. */
import { randomBytes, type ScryptOptions, scrypt, timingSafeEqual } from 'node:crypto';

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

/** Whether the password is the one that was hashed. */
export async function isPassword(password: string, encoded: string): Promise<boolean> {
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
