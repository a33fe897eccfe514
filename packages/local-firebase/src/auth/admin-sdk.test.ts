import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { deleteApp, initializeApp } from 'firebase/app';
import {
  connectAuthEmulator,
  getIdTokenResult,
  initializeAuth,
  inMemoryPersistence,
  signInAnonymously,
  signInWithCustomToken,
  signInWithEmailAndPassword,
} from 'firebase/auth';
import { initializeApp as initializeAdminApp } from 'firebase-admin/app';
import { type Auth as AdminAuth, getAuth as getAdminAuth } from 'firebase-admin/auth';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { RunningServer } from '../http-server.ts';
import { startAuth } from './server.ts';

const folder = mkdtempSync(join(tmpdir(), 'auth-admin-'));
const app = initializeApp({ apiKey: 'local', projectId: 'demo-admin' }, 'auth-admin-test');
const client = initializeAuth(app, { persistence: inMemoryPersistence });
let server: RunningServer;
let admin: AdminAuth;

beforeAll(async () => {
  server = await startAuth({ port: 0, projectId: 'demo-admin', databaseFile: join(folder, 'auth.db') });
  process.env['FIREBASE_AUTH_EMULATOR_HOST'] = `${server.host}:${server.port}`;
  // After the variable: getAuth() decides there whether custom tokens need a signing key.
  admin = getAdminAuth(initializeAdminApp({ projectId: 'demo-admin' }, 'auth-admin-test'));
  connectAuthEmulator(client, server.url, { disableWarnings: true });
});

beforeEach(async () => {
  const reset = `${server.url}/emulator/v1/projects/demo-admin/accounts`;
  expect((await fetch(reset, { method: 'DELETE' })).status).toBe(200);
});

afterAll(async () => {
  await deleteApp(app);
  await server.close();
  delete process.env['FIREBASE_AUTH_EMULATOR_HOST'];
  rmSync(folder, { recursive: true });
});

describe('Auth under firebase-admin', () => {
  test('creates a user with every field, finds it by each of them', async () => {
    const created = await admin.createUser({
      uid: 'u1',
      email: 'Ada@example.com',
      emailVerified: true,
      password: 'engine',
      displayName: 'Ada',
      photoURL: 'https://example.com/ada.png',
      phoneNumber: '+4915112345678',
    });
    expect(created).toMatchObject({
      uid: 'u1',
      email: 'ada@example.com',
      emailVerified: true,
      disabled: false,
    });
    expect((await admin.getUserByEmail('ada@example.com')).uid).toBe('u1');
    expect((await admin.getUserByPhoneNumber('+4915112345678')).uid).toBe('u1');
    expect((await admin.getUser('u1')).providerData.map(({ providerId }) => providerId)).toEqual([
      'password',
      'phone',
    ]);
    const { users, notFound } = await admin.getUsers([{ uid: 'u1' }, { email: 'no@example.com' }]);
    expect([users.map(({ uid }) => uid), notFound]).toEqual([['u1'], [{ email: 'no@example.com' }]]);
    expect((await signInWithEmailAndPassword(client, 'ada@example.com', 'engine')).user.uid).toBe('u1');
  });

  test('never sends a password hash', async () => {
    await admin.createUser({ uid: 'u1', email: 'ada@example.com', password: 'engine' });
    expect((await admin.getUser('u1')).passwordHash ?? null).toBeNull();
  });

  test.each([
    ['the same uid', { uid: 'u1' }, 'auth/uid-already-exists'],
    ['the same address', { email: 'ADA@example.com' }, 'auth/email-already-exists'],
    ['the same phone number', { phoneNumber: '+4915112345678' }, 'auth/phone-number-already-exists'],
  ])('refuses a second user with %s', async (_name, fields, code) => {
    await admin.createUser({ uid: 'u1', email: 'ada@example.com', phoneNumber: '+4915112345678' });
    await expect(admin.createUser(fields)).rejects.toMatchObject({ code });
  });

  test('two sign-ups for one address at the same moment make one user', async () => {
    const tries = Array.from({ length: 4 }, () =>
      admin.createUser({ email: 'ada@example.com', password: 'engine' }).then(
        () => 'made',
        (error: { code: string }) => error.code,
      ),
    );
    expect((await Promise.all(tries)).sort()).toEqual([
      ...Array(3).fill('auth/email-already-exists'),
      'made',
    ]);
  });

  test('says user-not-found for a user that is not there', async () => {
    const code = 'auth/user-not-found';
    await expect(admin.getUser('nobody')).rejects.toMatchObject({ code });
    await expect(admin.updateUser('nobody', { displayName: 'x' })).rejects.toMatchObject({ code });
    await expect(admin.deleteUser('nobody')).rejects.toMatchObject({ code });
  });

  test('lists every user once, in pages', async () => {
    const uids = Array.from({ length: 5 }, (_, index) => `user-${index}`);
    for (const uid of uids) await admin.createUser({ uid });
    const seen: string[] = [];
    let pageToken: string | undefined;
    do {
      const page = await admin.listUsers(2, pageToken);
      seen.push(...page.users.map(({ uid }) => uid));
      pageToken = page.pageToken;
    } while (pageToken !== undefined);
    expect(seen).toEqual(uids);
    expect(await admin.deleteUsers([...uids, 'nobody'])).toMatchObject({ failureCount: 0 });
    expect((await admin.listUsers()).users).toEqual([]);
  });

  test('verifies the ID token of a client, with the custom claims set meanwhile', async () => {
    const { user } = await signInAnonymously(client);
    await admin.setCustomUserClaims(user.uid, { role: 'painter', quota: 7 });
    expect((await admin.verifyIdToken(await user.getIdToken()))['role']).toBeUndefined();
    const decoded = await admin.verifyIdToken(await user.getIdToken(true));
    expect(decoded).toMatchObject({ uid: user.uid, role: 'painter', quota: 7 });
    expect(decoded.firebase.sign_in_provider).toBe('anonymous');
    expect((await admin.getUser(user.uid)).customClaims).toEqual({ role: 'painter', quota: 7 });
    await admin.setCustomUserClaims(user.uid, null);
    expect((await getIdTokenResult(user, true)).claims['role']).toBeUndefined();
  });

  test('refuses reserved claims', async () => {
    const { uid } = await admin.createUser({});
    const attributes = JSON.stringify({ sub: 'somebody-else' });
    const answer = await fetch(
      `${server.url}/identitytoolkit.googleapis.com/v1/projects/demo-admin/accounts:update`,
      {
        method: 'POST',
        headers: { authorization: 'Bearer owner' },
        body: JSON.stringify({ localId: uid, customAttributes: attributes }),
      },
    );
    expect(await answer.json()).toMatchObject({ error: { code: 400, message: 'FORBIDDEN_CLAIM : sub' } });
  });

  test('signs a client in by a custom token that firebase-admin made', async () => {
    const token = await admin.createCustomToken('u-custom', { studio: true });
    const { user } = await signInWithCustomToken(client, token);
    const decoded = await admin.verifyIdToken(await user.getIdToken());
    expect(decoded).toMatchObject({ uid: 'u-custom', studio: true });
  });

  test('a disabled user is shut out until enabled again', async () => {
    const { uid } = await admin.createUser({ email: 'ada@example.com', password: 'engine' });
    const { user } = await signInWithEmailAndPassword(client, 'ada@example.com', 'engine');
    await admin.updateUser(uid, { disabled: true });
    const code = 'auth/user-disabled';
    await expect(user.getIdToken(true)).rejects.toMatchObject({ code });
    await expect(signInWithEmailAndPassword(client, 'ada@example.com', 'engine')).rejects.toMatchObject({
      code,
    });
    await admin.updateUser(uid, { disabled: false, password: 'difference' });
    await signInWithEmailAndPassword(client, 'ada@example.com', 'difference');
  });

  test('revoked sessions cannot be refreshed, and checkRevoked notices', async () => {
    const { user } = await signInAnonymously(client);
    const idToken = await user.getIdToken();
    await admin.verifyIdToken(idToken, true);
    // The cloud counts in whole seconds: revoking in the second of the sign-in leaves the ID token as it is.
    await new Promise((resolve) => setTimeout(resolve, 1000 - (Date.now() % 1000) + 10));
    await admin.revokeRefreshTokens(user.uid);
    await expect(admin.verifyIdToken(idToken, true)).rejects.toMatchObject({ code: 'auth/id-token-revoked' });
    await expect(user.getIdToken(true)).rejects.toMatchObject({ code: 'auth/user-token-expired' });
  });

  test('links and unlinks a provider, removes single attributes', async () => {
    const providerToLink = { providerId: 'google.com', uid: 'g-1', email: 'ada@gmail.com' };
    await admin.createUser({ uid: 'u1', displayName: 'Ada', email: 'ada@example.com' });
    await admin.updateUser('u1', { providerToLink });
    expect((await admin.getUserByProviderUid('google.com', 'g-1')).uid).toBe('u1');
    const changed = await admin.updateUser('u1', { providersToUnlink: ['google.com'], displayName: null });
    expect(changed.providerData).toEqual([]);
    expect(changed.displayName).toBeUndefined();
  });

  test('refuses another project, a missing API key and a foreign credential', async () => {
    const call = async (path: string, headers: Record<string, string> = {}) => {
      const answer = await fetch(`${server.url}/identitytoolkit.googleapis.com/v1/${path}`, {
        method: 'POST',
        headers,
        body: '{}',
      });
      const { error } = (await answer.json()) as { error: { message: string } };
      return [answer.status, error.message.split(' : ')[0]];
    };
    expect(await call('projects/other/accounts', { authorization: 'Bearer owner' })).toEqual([
      400,
      'INVALID_PROJECT_ID',
    ]);
    expect(await call('accounts:signUp')).toEqual([403, 'The request is missing a valid API key.']);
    expect((await call('projects/demo-admin/accounts'))[0]).toBe(401);
    expect((await call('accounts:signUp?key=k', { authorization: 'Bearer ya29.x' }))[0]).toBe(401);
  });
});
