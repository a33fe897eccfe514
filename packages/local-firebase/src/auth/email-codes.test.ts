import {
  ActionCodeURL,
  applyActionCode,
  checkActionCode,
  confirmPasswordReset,
  createUserWithEmailAndPassword,
  EmailAuthProvider,
  fetchSignInMethodsForEmail,
  isSignInWithEmailLink,
  linkWithCredential,
  reload,
  sendEmailVerification,
  sendPasswordResetEmail,
  sendSignInLinkToEmail,
  signInAnonymously,
  signInWithEmailAndPassword,
  signInWithEmailLink,
  updateEmail,
  verifyBeforeUpdateEmail,
  verifyPasswordResetCode,
} from 'firebase/auth';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { startTemporaryAuth, type TemporaryAuth } from '../../test/temporary-auth.ts';

const ada = 'ada@example.com';
const continueTo = { url: 'http://localhost:5000/after?a=b', handleCodeInApp: true };
let auth: TemporaryAuth;

beforeAll(async () => {
  auth = await startTemporaryAuth('demo-email-codes');
});
beforeEach(() => auth.reset());
afterAll(() => auth.close());

describe('password reset', () => {
  test('by a mailed code: the old password is void, sessions end, the address counts as verified', async () => {
    const client = auth.connect();
    const { user } = await createUserWithEmailAndPassword(client, ada, 'engine');
    await sendPasswordResetEmail(client, ada);
    expect(auth.logged.at(-1)).toContain('a mail would say');
    const { oobCode, requestType } = await auth.mailedTo(ada);
    expect(requestType).toBe('PASSWORD_RESET');
    expect(await verifyPasswordResetCode(client, oobCode)).toBe(ada);
    await expect(confirmPasswordReset(client, oobCode, '12345')).rejects.toMatchObject({
      code: 'auth/weak-password',
    });
    auth.advance(2000);
    await confirmPasswordReset(client, oobCode, 'difference');
    await expect(confirmPasswordReset(client, oobCode, 'another')).rejects.toMatchObject({
      code: 'auth/invalid-action-code',
    });
    await expect(signInWithEmailAndPassword(auth.connect(), ada, 'engine')).rejects.toMatchObject({
      code: 'auth/invalid-credential',
    });
    const again = await signInWithEmailAndPassword(auth.connect(), ada, 'difference');
    expect(again.user).toMatchObject({ uid: user.uid, emailVerified: true });
    await expect(user.getIdToken(true)).rejects.toMatchObject({ code: 'auth/user-token-expired' });
  });

  test('holds for an hour', async () => {
    const client = auth.connect();
    await createUserWithEmailAndPassword(client, ada, 'engine');
    await sendPasswordResetEmail(client, ada);
    const { oobCode } = await auth.mailedTo(ada);
    auth.advance(3_600_001);
    await expect(verifyPasswordResetCode(client, oobCode)).rejects.toMatchObject({
      code: 'auth/expired-action-code',
    });
  });

  test('of an unknown address answers as if it were known, unless e-mail privacy is off', async () => {
    await sendPasswordResetEmail(auth.connect(), 'nobody@example.com');
    await expect(auth.mailedTo('nobody@example.com')).rejects.toThrow('Nothing was mailed');
    await auth.reset({ emailPrivacy: false });
    await expect(sendPasswordResetEmail(auth.connect(), 'nobody@example.com')).rejects.toMatchObject({
      code: 'auth/user-not-found',
    });
  });

  test('by the link of the Admin SDK, which leads back to the app', async () => {
    await auth.admin.createUser({ email: ada, password: 'engine' });
    const link = await auth.admin.generatePasswordResetLink(ada, { url: continueTo.url });
    expect(ActionCodeURL.parseLink(link)).toMatchObject({
      operation: 'PASSWORD_RESET',
      continueUrl: continueTo.url,
    });
    const asked = await fetch(link, { redirect: 'manual', headers: { accept: 'text/html' } });
    expect(await asked.text()).toContain('New password for ada@example.com');
    const done = await fetch(`${link}&newPassword=difference`, { redirect: 'manual' });
    expect([done.status, done.headers.get('location')]).toEqual([303, continueTo.url]);
    await signInWithEmailAndPassword(auth.connect(), ada, 'difference');
    const used = await fetch(link);
    expect([used.status, await used.json()]).toMatchObject([
      400,
      { authEmulator: { error: expect.stringContaining('already been used') } },
    ]);
    await expect(auth.admin.generatePasswordResetLink('nobody@example.com')).rejects.toMatchObject({
      code: 'auth/email-not-found',
    });
  });
});

describe('verification', () => {
  test('of the own address by code, and by link', async () => {
    const client = auth.connect();
    const { user } = await createUserWithEmailAndPassword(client, ada, 'engine');
    await sendEmailVerification(user);
    const { oobCode } = await auth.mailedTo(ada);
    expect(await checkActionCode(client, oobCode)).toMatchObject({
      operation: 'VERIFY_EMAIL',
      data: { email: ada },
    });
    expect(user.emailVerified).toBe(false);
    await applyActionCode(client, oobCode);
    await reload(user);
    expect(user.emailVerified).toBe(true);
    await expect(applyActionCode(client, oobCode)).rejects.toMatchObject({
      code: 'auth/invalid-action-code',
    });

    const second = await createUserWithEmailAndPassword(auth.connect(), 'grace@example.com', 'compiler');
    const link = await auth.admin.generateEmailVerificationLink('grace@example.com');
    expect(await (await fetch(link)).json()).toMatchObject({
      authEmulator: { success: 'The email has been successfully verified.', email: 'grace@example.com' },
    });
    await reload(second.user);
    expect(second.user.emailVerified).toBe(true);
  });

  test('before a change of address: the new one holds from the click on', async () => {
    const client = auth.connect();
    const { user } = await createUserWithEmailAndPassword(client, ada, 'engine');
    await verifyBeforeUpdateEmail(user, 'Lovelace@example.com');
    const { oobCode, newEmail } = await auth.mailedTo(ada);
    expect(newEmail).toBe('lovelace@example.com');
    await signInWithEmailAndPassword(auth.connect(), ada, 'engine');
    await applyActionCode(client, oobCode);
    const again = await signInWithEmailAndPassword(auth.connect(), 'lovelace@example.com', 'engine');
    expect(again.user).toMatchObject({ uid: user.uid, emailVerified: true });
    await expect(signInWithEmailAndPassword(auth.connect(), ada, 'engine')).rejects.toMatchObject({
      code: 'auth/invalid-credential',
    });
    await createUserWithEmailAndPassword(auth.connect(), ada, 'engine');
    await expect(verifyBeforeUpdateEmail(again.user, ada)).rejects.toMatchObject({
      code: 'auth/email-already-in-use',
    });
  });

  test('a changed address can be taken back by a link to the first one', async () => {
    const client = auth.connect();
    const { user } = await createUserWithEmailAndPassword(client, ada, 'engine');
    await updateEmail(user, 'thief@example.com');
    const { oobCode, requestType, oobLink } = await auth.mailedTo(ada);
    expect([requestType, new URL(oobLink).searchParams.get('mode')]).toEqual([
      'RECOVER_EMAIL',
      'recoverEmail',
    ]);
    expect((await checkActionCode(client, oobCode)).operation).toBe('RECOVER_EMAIL');
    await applyActionCode(client, oobCode);
    const again = await signInWithEmailAndPassword(auth.connect(), ada, 'engine');
    expect(again.user.uid).toBe(user.uid);
  });
});

describe('sign-in by link', () => {
  test('makes an account, and signs in to a known one', async () => {
    const client = auth.connect();
    await sendSignInLinkToEmail(client, ada, continueTo);
    const { oobLink } = await auth.mailedTo(ada);
    const visited = await fetch(oobLink, { redirect: 'manual' });
    const target = visited.headers.get('location') ?? '';
    expect(target).toContain('http://localhost:5000/after?a=b&mode=signIn');
    expect(isSignInWithEmailLink(client, target)).toBe(true);
    await expect(signInWithEmailLink(client, 'eve@example.com', target)).rejects.toMatchObject({
      code: 'auth/invalid-email',
    });
    const { user } = await signInWithEmailLink(client, ada, target);
    expect(user).toMatchObject({ email: ada, emailVerified: true, isAnonymous: false });
    expect(user.providerData.map(({ providerId }) => providerId)).toEqual(['password']);
    await expect(signInWithEmailLink(client, ada, target)).rejects.toMatchObject({
      code: 'auth/invalid-action-code',
    });
    const link = await auth.admin.generateSignInWithEmailLink(ada, continueTo);
    expect((await signInWithEmailLink(auth.connect(), ada, link)).user.uid).toBe(user.uid);
  });

  test('adds the address to an anonymous account', async () => {
    const client = auth.connect();
    const { user } = await signInAnonymously(client);
    const link = await auth.admin.generateSignInWithEmailLink(ada, continueTo);
    const linked = await linkWithCredential(user, EmailAuthProvider.credentialWithLink(ada, link));
    expect(linked.user).toMatchObject({ uid: user.uid, email: ada, isAnonymous: false });
  });
});

test('the methods of an address are told only where e-mail privacy is off', async () => {
  const client = auth.connect();
  await createUserWithEmailAndPassword(client, ada, 'engine');
  expect(await fetchSignInMethodsForEmail(client, ada)).toEqual([]);
  await auth.reset({ emailPrivacy: false });
  await createUserWithEmailAndPassword(client, ada, 'engine');
  expect(await fetchSignInMethodsForEmail(client, ada)).toEqual(['password']);
  expect(await fetchSignInMethodsForEmail(client, 'nobody@example.com')).toEqual([]);
});
