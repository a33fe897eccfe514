import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { emptyAccount } from './account.ts';
import { decodeIdToken, decodeToken, encodeIdToken, encodeUnsignedToken } from './tokens.ts';

const session = { signInProvider: 'anonymous', extraClaims: {}, authTimeSeconds: 900 };
const project = { projectId: 'demo-p', nowSeconds: 1000 };

describe('ID tokens', () => {
  test('hold for an hour, and for their own project alone', () => {
    const token = encodeIdToken(emptyAccount('u1', 0), session, project);
    expect(decodeIdToken(token, project)).toMatchObject({
      uid: 'u1',
      issuedAtSeconds: 1000,
      authTimeSeconds: 900,
      signInProvider: 'anonymous',
    });
    expect(decodeIdToken(token, { ...project, nowSeconds: 4599 })).not.toBeNull();
    expect(decodeIdToken(token, { ...project, nowSeconds: 4600 })).toBeNull();
    expect(decodeIdToken(token, { ...project, projectId: 'demo-other' })).toBeNull();
  });

  test('no custom claim replaces what the service says', () => {
    const account = {
      ...emptyAccount('u1', 0),
      customAttributes: JSON.stringify({ aud: 'x', plan: 'gold' }),
    };
    const extraClaims = { sub: 'u2', user_id: 'u2' };
    const token = encodeIdToken(account, { ...session, extraClaims }, project);
    expect(decodeToken(token)?.payload).toMatchObject({
      aud: 'demo-p',
      sub: 'u1',
      user_id: 'u1',
      plan: 'gold',
    });
  });

  test('any payload reads back as it was written', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue()), (payload) => {
        const expected = JSON.parse(JSON.stringify(payload)) as unknown;
        expect(decodeToken(encodeUnsignedToken(payload))?.payload).toEqual(expected);
      }),
    );
  });

  test('no text makes the reader throw', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.array(fc.base64String()).map((parts) => parts.join('.')),
        ),
        (text) => {
          expect(decodeIdToken(text, project)).toBeNull();
        },
      ),
    );
  });
});
