import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { startTemporaryAuth, type TemporaryAuth } from '../../test/temporary-auth.ts';

const number = '+4915112345678';
let auth: TemporaryAuth;

beforeAll(async () => {
  auth = await startTemporaryAuth('demo-phone');
});
beforeEach(() => auth.reset());
afterAll(() => auth.close());

type Answer = Record<string, unknown> & { error?: { message: string }; localId?: string; idToken?: string };

/** The web SDK does phones in browsers alone: these are its requests. */
async function call(name: string, body: object): Promise<Answer> {
  const url = `${auth.url}/identitytoolkit.googleapis.com/v1/accounts:${name}?key=k`;
  return (await (await fetch(url, { method: 'POST', body: JSON.stringify(body) })).json()) as Answer;
}

async function code(phoneNumber: string) {
  const { sessionInfo } = await call('sendVerificationCode', { phoneNumber, recaptchaToken: 'none' });
  return { sessionInfo, code: await auth.textedTo(phoneNumber) };
}

const signIn = async (body: object) => call('signInWithPhoneNumber', body);
const refusal = async (answer: Promise<Answer>) => (await answer).error?.message;
const anonymous = () => call('signUp', { returnSecureToken: true });

describe('phone numbers', () => {
  test('sign in by a texted code, once, into the same account', async () => {
    const texted = await code(number);
    const first = await signIn(texted);
    expect(first).toMatchObject({ isNewUser: true, phoneNumber: number });
    const claims = await auth.admin.verifyIdToken(String(first.idToken));
    expect(claims).toMatchObject({ phone_number: number, firebase: { sign_in_provider: 'phone' } });
    expect(await refusal(signIn(texted))).toBe('INVALID_SESSION_INFO');
    expect(await signIn(await code(number))).toMatchObject({ isNewUser: false, localId: first.localId });
  });

  test('refuse a wrong code, an old one, and what is no number', async () => {
    const texted = await code(number);
    const wrong = String((Number(texted.code) + 1) % 1_000_000).padStart(6, '0');
    expect(await refusal(signIn({ ...texted, code: wrong }))).toBe('INVALID_CODE');
    auth.advance(600_001);
    expect(await refusal(signIn(texted))).toBe('SESSION_EXPIRED');
    expect(await refusal(call('sendVerificationCode', { phoneNumber: '12' }))).toMatch(
      /^INVALID_PHONE_NUMBER/,
    );
  });

  test('are added to an account, changed and taken away', async () => {
    const { idToken, localId = '' } = await anonymous();
    for (const each of [number, '+4915100000000']) {
      expect((await signIn({ ...(await code(each)), idToken })).localId).toBe(localId);
      expect((await auth.admin.getUser(localId)).phoneNumber).toBe(each);
    }
    await call('update', { idToken, deleteProvider: ['phone'] });
    expect((await auth.admin.getUser(localId)).phoneNumber).toBeUndefined();
  });

  test('of another account cannot be added, but the answer proves the number for a sign-in there', async () => {
    const owner = await signIn(await code(number));
    const { idToken } = await anonymous();
    const { temporaryProof, phoneNumber } = await signIn({ ...(await code(number)), idToken });
    expect(phoneNumber).toBe(number);
    expect((await signIn({ temporaryProof, phoneNumber })).localId).toBe(owner.localId);
    expect(await refusal(signIn({ temporaryProof, phoneNumber }))).toBe('INVALID_TEMPORARY_PROOF');
  });

  test('of a disabled account stay shut', async () => {
    const { localId = '' } = await signIn(await code(number));
    await auth.admin.updateUser(localId, { disabled: true });
    expect(await refusal(signIn(await code(number)))).toBe('USER_DISABLED');
  });
});
