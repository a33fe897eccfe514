import {
  createUserWithEmailAndPassword,
  GithubAuthProvider,
  GoogleAuthProvider,
  getAdditionalUserInfo,
  linkWithCredential,
  OAuthProvider,
  reauthenticateWithCredential,
  SAMLAuthProvider,
  signInAnonymously,
  signInWithCredential,
  signInWithEmailAndPassword,
  unlink,
} from 'firebase/auth';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { startTemporaryAuth, type TemporaryAuth } from '../../test/temporary-auth.ts';
import { encodeUnsignedToken } from './tokens.ts';

let auth: TemporaryAuth;

beforeAll(async () => {
  auth = await startTemporaryAuth('demo-providers');
});
beforeEach(() => auth.reset());
afterAll(() => auth.close());

const google = (claims: object) => GoogleAuthProvider.credential(JSON.stringify(claims));
const ada = {
  sub: 'g-ada',
  email: 'Ada@example.com',
  email_verified: true,
  name: 'Ada',
  picture: 'https://x/a.png',
};

describe('identity providers', () => {
  test('a Google credential makes an account once, with its profile', async () => {
    const client = auth.connect();
    const first = await signInWithCredential(client, google({ ...ada, given_name: 'Augusta' }));
    expect(first.user).toMatchObject({ email: 'ada@example.com', emailVerified: true, displayName: 'Ada' });
    expect(getAdditionalUserInfo(first)).toMatchObject({
      isNewUser: true,
      providerId: 'google.com',
      profile: { id: 'g-ada', given_name: 'Augusta' },
    });
    const { claims, signInProvider } = await first.user.getIdTokenResult();
    expect(signInProvider).toBe('google.com');
    expect(claims['firebase']).toMatchObject({
      identities: { 'google.com': ['g-ada'], email: ['ada@example.com'] },
    });
    const jwt = GoogleAuthProvider.credential(encodeUnsignedToken({ ...ada }));
    const second = await signInWithCredential(auth.connect(), jwt);
    expect([second.user.uid, getAdditionalUserInfo(second)?.isNewUser]).toEqual([first.user.uid, false]);
    expect((await auth.admin.getUserByProviderUid('google.com', 'g-ada')).uid).toBe(first.user.uid);
  });

  test('any OIDC provider works alike, and an access token that is JSON', async () => {
    const idToken = JSON.stringify({ sub: 'o-1', email: 'o@example.com' });
    const oidc = new OAuthProvider('oidc.acme').credential({ idToken });
    expect((await signInWithCredential(auth.connect(), oidc)).user.providerData[0]).toMatchObject({
      providerId: 'oidc.acme',
      uid: 'o-1',
    });
    const github = GithubAuthProvider.credential(JSON.stringify({ sub: 'h-1', screen_name: 'octo' }));
    expect((await signInWithCredential(auth.connect(), github)).user.providerData[0]?.providerId).toBe(
      'github.com',
    );
  });

  test('is linked to an anonymous account and unlinked again; two accounts cannot have one identity', async () => {
    const client = auth.connect();
    const { user } = await signInAnonymously(client);
    await linkWithCredential(user, google(ada));
    expect(user).toMatchObject({ isAnonymous: false, email: 'ada@example.com' });
    const other = await signInAnonymously(auth.connect());
    await expect(linkWithCredential(other.user, google(ada))).rejects.toMatchObject({
      code: 'auth/credential-already-in-use',
    });
    await unlink(user, 'google.com');
    expect(user.providerData).toEqual([]);
  });

  test('that vouches for the address gets the account, and closes an unproved password', async () => {
    await createUserWithEmailAndPassword(auth.connect(), 'ada@example.com', 'squatter');
    const { user } = await signInWithCredential(auth.connect(), google(ada));
    expect((await auth.admin.listUsers()).users).toHaveLength(1);
    expect(user.providerData.map(({ providerId }) => providerId)).toEqual(['google.com']);
    await expect(
      signInWithEmailAndPassword(auth.connect(), 'ada@example.com', 'squatter'),
    ).rejects.toMatchObject({
      code: 'auth/invalid-credential',
    });
  });

  test('that does not vouch for a known address needs the known way in first', async () => {
    await createUserWithEmailAndPassword(auth.connect(), 'ada@example.com', 'engine');
    const unproved = google({ ...ada, email_verified: false });
    await expect(signInWithCredential(auth.connect(), unproved)).rejects.toMatchObject({
      code: 'auth/account-exists-with-different-credential',
      customData: { email: 'ada@example.com' },
    });
  });

  test('proves again who is there, and that nobody else is', async () => {
    const { user } = await signInWithCredential(auth.connect(), google(ada));
    await reauthenticateWithCredential(user, google(ada));
    await expect(
      reauthenticateWithCredential(user, google({ sub: 'g-eve', email: 'eve@example.com' })),
    ).rejects.toMatchObject({ code: 'auth/user-mismatch' });
    expect((await auth.admin.listUsers()).users).toHaveLength(1);
  });

  test('refuses what is no token, and says what would need the provider', async () => {
    const code = 'auth/invalid-credential';
    await expect(
      signInWithCredential(auth.connect(), GoogleAuthProvider.credential('{nonsense')),
    ).rejects.toMatchObject({ code });
    await expect(signInWithCredential(auth.connect(), google({ email: 'a@b.c' }))).rejects.toMatchObject({
      code,
    });
    const accessOnly = GoogleAuthProvider.credential(null, 'ya29.opaque');
    await expect(signInWithCredential(auth.connect(), accessOnly)).rejects.toThrow(
      /no provider to ask|internal/i,
    );
    expect(() => new SAMLAuthProvider('saml.acme')).not.toThrow();
  });

  test('serves the page and the frame of signInWithPopup, with the known accounts and no way out of the script', async () => {
    await signInWithCredential(auth.connect(), google({ ...ada, name: '</script><script>alert(1)' }));
    const handler = await fetch(
      `${auth.url}/emulator/auth/handler?apiKey=k&appName=a&providerId=google.com&authType=signInViaPopup`,
    );
    const html = await handler.text();
    expect(handler.headers.get('content-type')).toContain('text/html');
    expect(html).toContain('g-ada');
    expect(html).not.toContain('</script><script>alert');
    expect((await fetch(`${auth.url}/emulator/auth/handler`)).status).toBe(400);
    expect(await (await fetch(`${auth.url}/emulator/auth/iframe`)).text()).toContain('webStorageSupport');
  });
});
