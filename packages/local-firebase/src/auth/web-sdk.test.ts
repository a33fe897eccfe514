import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { deleteApp, type FirebaseApp, initializeApp } from 'firebase/app';
import {
  type Auth,
  connectAuthEmulator,
  createUserWithEmailAndPassword,
  deleteUser,
  EmailAuthProvider,
  getIdTokenResult,
  initializeAuth,
  inMemoryPersistence,
  linkWithCredential,
  reauthenticateWithCredential,
  reload,
  signInAnonymously,
  signInWithCustomToken,
  signInWithEmailAndPassword,
  signOut,
  unlink,
  updateEmail,
  updatePassword,
  updateProfile,
} from 'firebase/auth';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { RunningServer } from '../http-server.ts';
import { startAuth } from './server.ts';
import { encodeUnsignedToken } from './tokens.ts';

const folder = mkdtempSync(join(tmpdir(), 'auth-web-'));
const databaseFile = join(folder, 'auth.db');
const apps: FirebaseApp[] = [];
let server: RunningServer;
let auth: Auth;

function connect(): Auth {
  const app = initializeApp(
    { apiKey: 'local', projectId: 'demo-auth' },
    `app${apps.length}-${Math.random()}`,
  );
  apps.push(app);
  const connected = initializeAuth(app, { persistence: inMemoryPersistence });
  connectAuthEmulator(connected, server.url, { disableWarnings: true });
  return connected;
}

/** Revocation counts in whole seconds, in the cloud too. */
const nextSecond = () => new Promise((resolve) => setTimeout(resolve, 1000 - (Date.now() % 1000) + 10));

beforeEach(async () => {
  server = await startAuth({ port: 0, projectId: 'demo-auth', databaseFile });
  auth = connect();
});

afterEach(async () => {
  await Promise.all(apps.splice(0).map(deleteApp));
  await server.close();
  rmSync(folder, { recursive: true, force: true });
});

describe('Auth under the web SDK', () => {
  test('signs up anonymously, with the claims that the cloud puts in the ID token', async () => {
    const { user } = await signInAnonymously(auth);
    expect(user.isAnonymous).toBe(true);
    expect(user.uid).toMatch(/^[A-Za-z0-9]{28}$/);
    const { claims, signInProvider, expirationTime } = await getIdTokenResult(user);
    expect(signInProvider).toBe('anonymous');
    expect(claims).toMatchObject({
      iss: 'https://securetoken.google.com/demo-auth',
      aud: 'demo-auth',
      sub: user.uid,
      user_id: user.uid,
      provider_id: 'anonymous',
      firebase: { sign_in_provider: 'anonymous', identities: {} },
    });
    expect(claims.auth_time).toEqual(claims.iat);
    expect(Date.parse(expirationTime) - Date.now()).toBeGreaterThan(3_590_000);
  });

  test('signs up and in by e-mail, whatever the case of the address', async () => {
    const created = await createUserWithEmailAndPassword(auth, 'Ada@Example.com', 'engine');
    await signOut(auth);
    const { user } = await signInWithEmailAndPassword(auth, 'ada@example.COM', 'engine');
    expect(user.uid).toBe(created.user.uid);
    expect(user.email).toBe('ada@example.com');
    expect(user.isAnonymous).toBe(false);
    expect(user.emailVerified).toBe(false);
    expect(user.providerData).toEqual([
      expect.objectContaining({ providerId: 'password', uid: 'ada@example.com' }),
    ]);
    expect(user.metadata.creationTime).toBeTruthy();
  });

  test.each([
    ['a taken address', 'auth/email-already-in-use', 'ada@example.com', 'engine'],
    ['a weak password', 'auth/weak-password', 'new@example.com', '12345'],
    ['an address that is none', 'auth/invalid-email', 'not an address', 'engine'],
    ['no password', 'auth/missing-password', 'new@example.com', ''],
  ])('refuses to sign up with %s: %s', async (_name, code, email, password) => {
    await createUserWithEmailAndPassword(auth, 'ada@example.com', 'engine');
    await expect(createUserWithEmailAndPassword(auth, email, password)).rejects.toMatchObject({ code });
  });

  test('does not tell a wrong password from an unknown address', async () => {
    await createUserWithEmailAndPassword(auth, 'ada@example.com', 'engine');
    for (const email of ['ada@example.com', 'nobody@example.com']) {
      const refused = signInWithEmailAndPassword(auth, email, 'wrong password');
      await expect(refused).rejects.toMatchObject({ code: 'auth/invalid-credential' });
    }
  });

  test('tells them apart when e-mail privacy is off', async () => {
    await createUserWithEmailAndPassword(auth, 'ada@example.com', 'engine');
    const config = `${server.url}/emulator/v1/projects/demo-auth/config`;
    const body = JSON.stringify({ emailPrivacyConfig: { enableImprovedEmailPrivacy: false } });
    expect((await fetch(config, { method: 'PATCH', body })).status).toBe(200);
    expect(await (await fetch(config)).json()).toMatchObject({
      emailPrivacyConfig: { enableImprovedEmailPrivacy: false },
    });
    await expect(signInWithEmailAndPassword(auth, 'ada@example.com', 'wrong one')).rejects.toMatchObject({
      code: 'auth/wrong-password',
    });
    await expect(signInWithEmailAndPassword(auth, 'no@example.com', 'wrong one')).rejects.toMatchObject({
      code: 'auth/user-not-found',
    });
  });

  test('signs in by a custom token, whose claims stay through a refresh', async () => {
    const token = encodeUnsignedToken({
      aud: 'https://identitytoolkit.googleapis.com/google.identity.identitytoolkit.v1.IdentityToolkit',
      uid: 'from-my-server',
      claims: { plan: 'gold' },
      exp: Math.floor(Date.now() / 1000) + 600,
    });
    const { user } = await signInWithCustomToken(auth, token);
    expect(user.uid).toBe('from-my-server');
    const refreshed = await getIdTokenResult(user, true);
    expect(refreshed.claims['plan']).toBe('gold');
    expect(refreshed.signInProvider).toBe('custom');
    const idToken = await user.getIdToken();
    await expect(signInWithCustomToken(auth, idToken)).rejects.toMatchObject({
      code: 'auth/invalid-custom-token',
    });
  });

  test('keeps the uid of an anonymous user who adds an e-mail', async () => {
    const { user } = await signInAnonymously(auth);
    const { uid } = user;
    const linked = await linkWithCredential(user, EmailAuthProvider.credential('ada@example.com', 'engine'));
    expect(linked.user.uid).toBe(uid);
    expect(linked.user.isAnonymous).toBe(false);
    expect((await getIdTokenResult(linked.user)).signInProvider).toBe('password');
    const again = await signInWithEmailAndPassword(connect(), 'ada@example.com', 'engine');
    expect(again.user.uid).toBe(uid);
    const unlinked = await unlink(linked.user, 'password');
    await reload(unlinked);
    expect(unlinked.email).toBeFalsy();
    expect(unlinked.providerData).toEqual([]);
  });

  test('does not link an address that another account has', async () => {
    await createUserWithEmailAndPassword(connect(), 'ada@example.com', 'engine');
    const { user } = await signInAnonymously(auth);
    const credential = EmailAuthProvider.credential('ada@example.com', 'engine');
    await expect(linkWithCredential(user, credential)).rejects.toMatchObject({
      code: 'auth/email-already-in-use',
    });
    expect(user.isAnonymous).toBe(true);
  });

  test('updates the profile, and another client sees it after a reload', async () => {
    const { user } = await createUserWithEmailAndPassword(auth, 'ada@example.com', 'engine');
    const elsewhere = await signInWithEmailAndPassword(connect(), 'ada@example.com', 'engine');
    await updateProfile(user, { displayName: 'Ada', photoURL: 'https://example.com/ada.png' });
    await reload(elsewhere.user);
    expect(elsewhere.user.displayName).toBe('Ada');
    await updateProfile(user, { displayName: '' });
    await reload(user);
    expect(user.displayName).toBeFalsy();
    expect(user.photoURL).toBe('https://example.com/ada.png');
  });

  test('a new password replaces the old one and ends the other sessions, not this one', async () => {
    const { user } = await createUserWithEmailAndPassword(auth, 'ada@example.com', 'engine');
    const elsewhere = await signInWithEmailAndPassword(connect(), 'ada@example.com', 'engine');
    await nextSecond();
    await updatePassword(user, 'difference');
    await expect(user.getIdToken(true)).resolves.toBeTruthy();
    await expect(elsewhere.user.getIdToken(true)).rejects.toMatchObject({ code: 'auth/user-token-expired' });
    await expect(signInWithEmailAndPassword(connect(), 'ada@example.com', 'engine')).rejects.toMatchObject({
      code: 'auth/invalid-credential',
    });
    await signInWithEmailAndPassword(connect(), 'ada@example.com', 'difference');
  });

  test('a new password in the second of the sign-in leaves the own session alive', async () => {
    // The new ID token may then be the old one to the letter, and the SDK keep its old refresh token.
    for (const password of ['first!', 'second', 'third!', 'fourth']) {
      const { user } = await createUserWithEmailAndPassword(auth, `${password}@example.com`, 'engine');
      await updatePassword(user, password);
      await expect(user.getIdToken(true)).resolves.toBeTruthy();
    }
  });

  test('a new address replaces the old one, and the session goes on', async () => {
    const { user } = await createUserWithEmailAndPassword(auth, 'ada@example.com', 'engine');
    await createUserWithEmailAndPassword(connect(), 'taken@example.com', 'engine');
    await reauthenticateWithCredential(user, EmailAuthProvider.credential('ada@example.com', 'engine'));
    await expect(updateEmail(user, 'taken@example.com')).rejects.toMatchObject({
      code: 'auth/email-already-in-use',
    });
    await updateEmail(user, 'Lovelace@example.com');
    expect(user.email).toBe('lovelace@example.com');
    expect((await getIdTokenResult(user, true)).claims['email']).toBe('lovelace@example.com');
    await signInWithEmailAndPassword(connect(), 'lovelace@example.com', 'engine');
    await expect(signInWithEmailAndPassword(connect(), 'ada@example.com', 'engine')).rejects.toMatchObject({
      code: 'auth/invalid-credential',
    });
  });

  test('deletes the account, and its other sessions notice', async () => {
    const { user } = await createUserWithEmailAndPassword(auth, 'ada@example.com', 'engine');
    const elsewhere = await signInWithEmailAndPassword(connect(), 'ada@example.com', 'engine');
    await deleteUser(user);
    await expect(elsewhere.user.getIdToken(true)).rejects.toMatchObject({ code: 'auth/user-token-expired' });
    await createUserWithEmailAndPassword(connect(), 'ada@example.com', 'engine');
  });

  test('users, sessions and passwords survive a restart', async () => {
    const { user } = await createUserWithEmailAndPassword(auth, 'ada@example.com', 'engine');
    const { port } = server;
    await server.close();
    server = await startAuth({ port, projectId: 'demo-auth', databaseFile });
    // The client's first try may still use a connection of the server that is gone.
    await expect.poll(() => user.getIdToken(true)).toBeTruthy();
    const again = await signInWithEmailAndPassword(connect(), 'ada@example.com', 'engine');
    expect(again.user.uid).toBe(user.uid);
  });

  test('answers a browser of any origin', async () => {
    const answer = await fetch(`${server.url}/identitytoolkit.googleapis.com/v1/accounts:signUp?key=k`, {
      method: 'OPTIONS',
      headers: {
        origin: 'http://localhost:5000',
        'access-control-request-method': 'POST',
        'access-control-request-headers': 'content-type,x-client-version',
      },
    });
    expect(answer.status).toBe(204);
    expect(answer.headers.get('access-control-allow-origin')).toBe('*');
    expect(answer.headers.get('access-control-allow-headers')).toBe('content-type,x-client-version');
  });
});
