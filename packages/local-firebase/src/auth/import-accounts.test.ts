import { createHash, createHmac, pbkdf2Sync, scryptSync } from 'node:crypto';
import bcrypt from 'bcryptjs';
import { signInWithEmailAndPassword } from 'firebase/auth';
import type { UserImportOptions } from 'firebase-admin/auth';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { startTemporaryAuth, type TemporaryAuth } from '../../test/temporary-auth.ts';

let auth: TemporaryAuth;

beforeAll(async () => {
  auth = await startTemporaryAuth('demo-import');
});
beforeEach(() => auth.reset());
afterAll(() => auth.close());

const password = 'password';
const salt = 'NaCl';
const digest = (algorithm: string, text: string) => createHash(algorithm).update(text).digest();

/** What other systems would have stored for the password above. */
const hashes: [string, UserImportOptions['hash'], Buffer][] = [
  [
    'HMAC_SHA256',
    { algorithm: 'HMAC_SHA256', key: Buffer.from('secret') },
    createHmac('sha256', 'secret')
      .update(password + salt)
      .digest(),
  ],
  ['SHA256', { algorithm: 'SHA256', rounds: 1 }, digest('sha256', salt + password)],
  [
    'SHA512 twice',
    { algorithm: 'SHA512', rounds: 2 },
    createHash('sha512')
      .update(digest('sha512', salt + password))
      .digest(),
  ],
  [
    'MD5 as hex',
    { algorithm: 'MD5', rounds: 0 },
    Buffer.from(digest('md5', salt + password).toString('hex')),
  ],
  ['BCRYPT', { algorithm: 'BCRYPT' }, Buffer.from(bcrypt.hashSync(password, 4))],
  [
    'PBKDF2_SHA256',
    { algorithm: 'PBKDF2_SHA256', rounds: 1000 },
    pbkdf2Sync(password, salt, 1000, 64, 'sha256'),
  ],
  ['PBKDF_SHA1', { algorithm: 'PBKDF_SHA1', rounds: 1000 }, pbkdf2Sync(password, salt, 1000, 20, 'sha1')],
  [
    'STANDARD_SCRYPT',
    {
      algorithm: 'STANDARD_SCRYPT',
      memoryCost: 1024,
      parallelization: 16,
      blockSize: 8,
      derivedKeyLength: 64,
    },
    scryptSync(password, salt, 64, { N: 1024, p: 16, r: 8 }),
  ],
  [
    // The project key, hash and salt of firebase-admin's own integration test.
    'SCRYPT',
    {
      algorithm: 'SCRYPT',
      key: Buffer.from(
        'jxspr8Ki0RYycVU8zykbdLGjFQ3McFUH0uiiTvC8pVMXAn210wjLNmdZJzxUECKbm0QsEmYUSDzZvpjeJ9WmXA==',
        'base64',
      ),
      saltSeparator: Buffer.from('Bw==', 'base64'),
      rounds: 8,
      memoryCost: 14,
    },
    Buffer.from(
      'V358E8LdWJXAO7muq0CufVpEOXaj8aFiC7T/rcaGieN04q/ZPJ08WhJEHGjj9lz/2TT+/86N5VjVoc5DdBhBiw==',
      'base64',
    ),
  ],
];

describe('importUsers', () => {
  test.each(hashes)(
    'with %s: the old password signs in, twice, and no other',
    async (_name, hash, passwordHash) => {
      const user = { uid: 'u1', email: 'ada@example.com', passwordHash, passwordSalt: Buffer.from(salt) };
      expect(await auth.admin.importUsers([user], { hash })).toMatchObject({
        failureCount: 0,
        successCount: 1,
      });
      await expect(
        signInWithEmailAndPassword(auth.connect(), 'ada@example.com', 'passw0rd'),
      ).rejects.toMatchObject({
        code: 'auth/invalid-credential',
      });
      // The second time against the hash that the first sign-in made.
      for (const _ of [1, 2]) await signInWithEmailAndPassword(auth.connect(), 'ada@example.com', password);
    },
  );

  test('refuses options that no password could be checked with', async () => {
    const user = { uid: 'u1', email: 'ada@example.com', passwordHash: Buffer.from('x') };
    for (const memoryCost of [1000, 2 ** 30]) {
      const cost = { parallelization: 1, blockSize: 8, derivedKeyLength: 64 };
      const hash = { algorithm: 'STANDARD_SCRYPT' as const, memoryCost, ...cost };
      await expect(auth.admin.importUsers([user], { hash })).rejects.toThrow(/INVALID_HASH_MEMORY_COST/);
    }
  });

  test('keeps every field of a record', async () => {
    const created = new Date(1476235905000).toUTCString();
    const user = {
      uid: 'u1',
      email: 'ada@example.com',
      emailVerified: true,
      displayName: 'Ada',
      phoneNumber: '+15554446666',
      disabled: true,
      customClaims: { admin: true },
      metadata: { creationTime: created, lastSignInTime: created },
      providerData: [
        { uid: 'fb-1', providerId: 'facebook.com', displayName: 'Ada F', email: 'ada@example.com' },
      ],
    };
    await auth.admin.importUsers([user]);
    const found = await auth.admin.getUserByProviderUid('facebook.com', 'fb-1');
    expect(found.toJSON()).toMatchObject({ ...user, providerData: expect.anything() });
    expect(found.providerData.map(({ providerId }) => providerId)).toEqual(['facebook.com', 'phone']);
  });

  test('reports the records that cannot be, and makes the others', async () => {
    await auth.admin.createUser({ uid: 'old', email: 'old@example.com' });
    const { successCount, errors } = await auth.admin.importUsers([
      { uid: 'u1', email: 'old@example.com' },
      { uid: 'u2', phoneNumber: '+1error' },
      { uid: 'u3' },
      { uid: 'old' },
    ]);
    expect(successCount).toBe(1);
    expect(errors.map(({ index, error }) => [index, error.code, error.message])).toEqual([
      [0, 'auth/invalid-user-import', 'email exists in other account in database'],
      [1, 'auth/invalid-user-import', 'phone number format is invalid'],
      [3, 'auth/invalid-user-import', 'localId belongs to an existing account - can not overwrite.'],
    ]);
  });

  test('takes back what listUsers exports, password and all', async () => {
    await auth.admin.createUser({ uid: 'u1', email: 'ada@example.com', password: 'engine' });
    const [exported] = (await auth.admin.listUsers()).users;
    await auth.admin.deleteUser('u1');
    const bytes = (text: string | undefined) => Buffer.from(text ?? '', 'base64url');
    const { passwordHash, passwordSalt } = exported!;
    const record = {
      uid: exported!.uid,
      email: exported!.email!,
      passwordHash: bytes(passwordHash),
      passwordSalt: bytes(passwordSalt),
    };
    const hash = {
      algorithm: 'STANDARD_SCRYPT' as const,
      memoryCost: 16_384,
      blockSize: 8,
      parallelization: 1,
      derivedKeyLength: 32,
    };
    await auth.admin.importUsers([record], { hash });
    await signInWithEmailAndPassword(auth.connect(), 'ada@example.com', 'engine');
  });
});

describe('administrators', () => {
  test('make session cookies and verify them, until the sessions are revoked', async () => {
    const { uid } = await auth.admin.createUser({ email: 'ada@example.com', password: 'engine' });
    const { user } = await signInWithEmailAndPassword(auth.connect(), 'ada@example.com', 'engine');
    const cookie = await auth.admin.createSessionCookie(await user.getIdToken(), { expiresIn: 3_600_000 });
    const decoded = await auth.admin.verifySessionCookie(cookie, true);
    expect(decoded).toMatchObject({ uid, iss: 'https://session.firebase.google.com/demo-import' });
    expect(decoded.exp - decoded.iat).toBe(3600);
    auth.advance(2000);
    await auth.admin.updateUser(uid, { password: 'difference' });
    await expect(auth.admin.verifySessionCookie(cookie, true)).rejects.toMatchObject({
      code: 'auth/session-cookie-revoked',
    });
    await expect(auth.admin.createSessionCookie('nonsense', { expiresIn: 3_600_000 })).rejects.toMatchObject({
      code: 'auth/invalid-id-token',
    });
  });

  test('query accounts by field, in order and in part', async () => {
    for (const [uid, email] of [
      ['u1', 'b@x.de'],
      ['u2', 'c@x.de'],
      ['u3', 'a@x.de'],
    ]) {
      await auth.admin.createUser({ uid: uid!, email: email! });
    }
    const query = async (body: object) => {
      const url = `${auth.url}/identitytoolkit.googleapis.com/v1/projects/demo-import/accounts:query`;
      const headers = { authorization: 'Bearer owner' };
      const answer = await fetch(url, { method: 'POST', headers, body: JSON.stringify(body) });
      return (await answer.json()) as { recordsCount: string; userInfo?: { localId: string }[] };
    };
    expect(await query({ returnUserInfo: false })).toEqual({ recordsCount: '3' });
    const ids = async (body: object) => (await query(body)).userInfo?.map(({ localId }) => localId);
    expect(await ids({ sortBy: 'USER_EMAIL' })).toEqual(['u3', 'u1', 'u2']);
    expect(await ids({ order: 'DESC', limit: '1', offset: '1' })).toEqual(['u2']);
    expect(await ids({ expression: [{ email: 'A@x.de' }] })).toEqual(['u3']);
  });

  test('read and change the settings that there are', async () => {
    const settings = auth.admin.projectConfigManager();
    const shown = await settings.updateProjectConfig({
      emailPrivacyConfig: { enableImprovedEmailPrivacy: false },
    });
    expect(shown.emailPrivacyConfig).toEqual({ enableImprovedEmailPrivacy: false });
    expect((await settings.getProjectConfig()).emailPrivacyConfig).toEqual({
      enableImprovedEmailPrivacy: false,
    });
    const policy = settings.updateProjectConfig({ passwordPolicyConfig: { enforcementState: 'OFF' } });
    await expect(policy).rejects.toThrow(/does not do the project's passwordPolicyConfig/);
  });

  test('are told what is not done', async () => {
    const refused = auth.admin.tenantManager().listTenants();
    await expect(refused).rejects.toThrow(/does not do GET .*tenants/);
    const mfa = auth.admin.updateUser('u1', {
      multiFactor: { enrolledFactors: [{ factorId: 'phone', phoneNumber: '+15551112222', uid: 'm1' }] },
    });
    await expect(mfa).rejects.toThrow(/does not do multi-factor enrollment/);
  });
});
