/** How Auth behaves, through the web SDK and the Admin SDK. */
import { createHmac } from 'node:crypto';
import {
  applyActionCode,
  confirmPasswordReset,
  createUserWithEmailAndPassword,
  deleteUser,
  EmailAuthProvider,
  GoogleAuthProvider,
  isSignInWithEmailLink,
  linkWithCredential,
  reload,
  signInAnonymously,
  signInWithCredential,
  signInWithCustomToken,
  signInWithEmailAndPassword,
  signInWithEmailLink,
  signOut,
  unlink,
  updatePassword,
  updateProfile,
  verifyPasswordResetCode,
} from 'firebase/auth';
import { describe, expect, test } from 'vitest';
import type { Backend } from './backend.ts';

const codeOf = (link: string) => new URL(link).searchParams.get('oobCode') ?? '';
const withCode = (code: string) => ({ code: `auth/${code}` });
/** With e-mail privacy both are `invalid-credential`, without it `wrong-password` or `user-not-found`. */
const refusedSignIn = {
  code: expect.stringMatching(/^auth\/(invalid-credential|wrong-password|user-not-found)$/),
};
/** Revocation counts in whole seconds. */
const nextSecond = () => new Promise((resolve) => setTimeout(resolve, 1000 - (Date.now() % 1000) + 10));

export function describeAuth(backend: Backend): void {
  const { admin, email } = backend;
  const continueUrl = { url: 'http://localhost/after', handleCodeInApp: true };

  describe('Auth', () => {
    test('signs up, out and in by e-mail, and refuses what it should', async () => {
      const { auth } = backend.connect();
      const ada = email('ada');
      const { user } = await createUserWithEmailAndPassword(auth, ada, 'engine');
      await updateProfile(user, { displayName: 'Ada', photoURL: 'https://example.com/a.png' });
      await signOut(auth);
      await expect(createUserWithEmailAndPassword(auth, ada, 'engine')).rejects.toMatchObject(
        withCode('email-already-in-use'),
      );
      await expect(createUserWithEmailAndPassword(auth, email('new'), '12345')).rejects.toMatchObject(
        withCode('weak-password'),
      );
      await expect(createUserWithEmailAndPassword(auth, 'no address', 'engine')).rejects.toMatchObject(
        withCode('invalid-email'),
      );
      await expect(signInWithEmailAndPassword(auth, ada, 'wrong one')).rejects.toMatchObject(refusedSignIn);
      await expect(signInWithEmailAndPassword(auth, email('nobody'), 'engine')).rejects.toMatchObject(
        refusedSignIn,
      );
      const again = await signInWithEmailAndPassword(auth, ada.toUpperCase(), 'engine');
      expect(again.user).toMatchObject({
        uid: user.uid,
        email: ada,
        displayName: 'Ada',
        emailVerified: false,
      });
      expect(await admin.auth.getUser(user.uid)).toMatchObject({
        email: ada,
        displayName: 'Ada',
        disabled: false,
      });
    });

    test('an anonymous user keeps the uid when an e-mail is linked, and can be deleted', async () => {
      const { auth } = backend.connect();
      const { user } = await signInAnonymously(auth);
      expect((await user.getIdTokenResult()).signInProvider).toBe('anonymous');
      const { uid } = user;
      await linkWithCredential(user, EmailAuthProvider.credential(email('linked'), 'engine'));
      expect(user).toMatchObject({ uid, isAnonymous: false });
      await unlink(user, 'password');
      expect(user.providerData).toEqual([]);
      await deleteUser(user);
      await expect(admin.auth.getUser(uid)).rejects.toMatchObject(withCode('user-not-found'));
    });

    test('a custom token signs in, and its claims outlive a refresh', async () => {
      const { auth } = backend.connect();
      const uid = `custom-${backend.run}`;
      const { user } = await signInWithCustomToken(
        auth,
        await admin.auth.createCustomToken(uid, { plan: 'gold' }),
      );
      expect(user.uid).toBe(uid);
      expect((await user.getIdTokenResult(true)).claims['plan']).toBe('gold');
      await expect(signInWithCustomToken(auth, 'nonsense')).rejects.toMatchObject(
        withCode('invalid-custom-token'),
      );
    });

    test('custom claims come with the next token, and the Admin SDK verifies it', async () => {
      const { auth } = backend.connect();
      const { user } = await createUserWithEmailAndPassword(auth, email('claims'), 'engine');
      await admin.auth.setCustomUserClaims(user.uid, { role: 'painter' });
      expect((await user.getIdTokenResult()).claims['role']).toBeUndefined();
      const token = await user.getIdToken(true);
      expect(await admin.auth.verifyIdToken(token)).toMatchObject({ uid: user.uid, role: 'painter' });
    });

    test('codes reset a password, verify an address and sign in, once each', async () => {
      const { auth } = backend.connect();
      const address = email('codes');
      const { user } = await createUserWithEmailAndPassword(auth, address, 'engine');
      const reset = codeOf(await admin.auth.generatePasswordResetLink(address));
      expect(await verifyPasswordResetCode(auth, reset)).toBe(address);
      await confirmPasswordReset(auth, reset, 'difference');
      await expect(confirmPasswordReset(auth, reset, 'another one')).rejects.toMatchObject(
        withCode('invalid-action-code'),
      );
      await expect(signInWithEmailAndPassword(auth, address, 'engine')).rejects.toMatchObject(refusedSignIn);
      const again = await signInWithEmailAndPassword(auth, address, 'difference');
      await admin.auth.updateUser(user.uid, { emailVerified: false });
      await applyActionCode(auth, codeOf(await admin.auth.generateEmailVerificationLink(address)));
      await reload(again.user);
      expect(again.user.emailVerified).toBe(true);

      const link = await admin.auth.generateSignInWithEmailLink(address, continueUrl);
      expect(isSignInWithEmailLink(auth, link)).toBe(true);
      expect((await signInWithEmailLink(auth, address, link)).user.uid).toBe(user.uid);
      await expect(signInWithEmailLink(auth, address, link)).rejects.toMatchObject(
        withCode('invalid-action-code'),
      );
    });

    test.skipIf(!backend.can('emulator-endpoints'))(
      'a Google identity makes one account, linked once',
      async () => {
        const identity = {
          sub: `g-${backend.run}`,
          email: email('google'),
          email_verified: true,
          name: 'Grace',
        };
        const credential = GoogleAuthProvider.credential(JSON.stringify(identity));
        const first = await signInWithCredential(backend.connect().auth, credential);
        expect(first.user).toMatchObject({
          email: identity.email,
          emailVerified: true,
          displayName: 'Grace',
        });
        const again = await signInWithCredential(backend.connect().auth, credential);
        expect(again.user.uid).toBe(first.user.uid);
        const other = await createUserWithEmailAndPassword(backend.connect().auth, email('other'), 'engine');
        await expect(linkWithCredential(other.user, credential)).rejects.toMatchObject(
          withCode('credential-already-in-use'),
        );
        expect((await admin.auth.getUserByProviderUid('google.com', identity.sub)).uid).toBe(first.user.uid);
      },
    );

    test('a disabled user is shut out', async () => {
      const address = email('disabled');
      const { uid } = await admin.auth.createUser({ email: address, password: 'engine' });
      const { user } = await signInWithEmailAndPassword(backend.connect().auth, address, 'engine');
      await admin.auth.updateUser(uid, { disabled: true });
      await expect(user.getIdToken(true)).rejects.toMatchObject(withCode('user-disabled'));
      await expect(
        signInWithEmailAndPassword(backend.connect().auth, address, 'engine'),
      ).rejects.toMatchObject(withCode('user-disabled'));
    });

    test('a session cookie is verified; revoking ends cookie and ID token', async () => {
      const address = email('cookie');
      const { user } = await createUserWithEmailAndPassword(backend.connect().auth, address, 'engine');
      const idToken = await user.getIdToken();
      const cookie = await admin.auth.createSessionCookie(idToken, { expiresIn: 600_000 });
      expect(await admin.auth.verifySessionCookie(cookie, true)).toMatchObject({
        uid: user.uid,
        email: address,
      });
      await nextSecond();
      await admin.auth.revokeRefreshTokens(user.uid);
      await expect(admin.auth.verifySessionCookie(cookie, true)).rejects.toMatchObject(
        withCode('session-cookie-revoked'),
      );
      await expect(admin.auth.verifyIdToken(idToken, true)).rejects.toMatchObject(
        withCode('id-token-revoked'),
      );
    });

    test.skipIf(!backend.can('revocation'))(
      'other sessions end with a new password, the own one goes on',
      async () => {
        const address = email('sessions');
        const { user } = await createUserWithEmailAndPassword(backend.connect().auth, address, 'engine');
        const elsewhere = await signInWithEmailAndPassword(backend.connect().auth, address, 'engine');
        await nextSecond();
        await updatePassword(user, 'difference');
        await user.getIdToken(true);
        await expect(elsewhere.user.getIdToken(true)).rejects.toMatchObject(withCode('user-token-expired'));
      },
    );

    test('users are found, listed in pages, imported and deleted together', async () => {
      const uids = ['a', 'b', 'c'].map((letter) => `bulk-${backend.run}-${letter}`);
      const records = uids.map((uid) => ({ uid, email: `${uid}@example.com`, customClaims: { n: 1 } }));
      expect(await admin.auth.importUsers(records)).toMatchObject({ successCount: 3, failureCount: 0 });
      const { users, notFound } = await admin.auth.getUsers([
        ...uids.map((uid) => ({ uid })),
        { uid: 'absent' },
      ]);
      expect([users.length, notFound]).toEqual([3, [{ uid: 'absent' }]]);
      const seen = new Set<string>();
      let pageToken: string | undefined;
      do {
        const page = await admin.auth.listUsers(2, pageToken);
        for (const { uid } of page.users) seen.add(uid);
        pageToken = page.pageToken;
      } while (pageToken !== undefined);
      for (const uid of uids) expect(seen).toContain(uid);
      expect(await admin.auth.deleteUsers([...uids, 'absent'])).toMatchObject({
        successCount: 4,
        failureCount: 0,
      });
    });

    test.skipIf(!backend.can('imported-hashes'))('an imported hash lets its owner in', async () => {
      const address = email('imported');
      const passwordHash = createHmac('sha256', 'secret').update('enginesalt').digest();
      const hash = { algorithm: 'HMAC_SHA256' as const, key: Buffer.from('secret') };
      const uid = `imported-${backend.run}`;
      await admin.auth.importUsers(
        [{ uid, email: address, passwordHash, passwordSalt: Buffer.from('salt') }],
        { hash },
      );
      await expect(signInWithEmailAndPassword(backend.connect().auth, address, 'salt')).rejects.toMatchObject(
        refusedSignIn,
      );
      expect((await signInWithEmailAndPassword(backend.connect().auth, address, 'engine')).user.uid).toBe(
        uid,
      );
    });
  });
}
