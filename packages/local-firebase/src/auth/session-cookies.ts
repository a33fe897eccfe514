/** `:createSessionCookie`: a token for a server's cookie that outlives the ID token it is made from. */
import { ensure } from './errors.ts';
import type { Operation } from './service.ts';
import { accountOfIdToken } from './sessions.ts';
import { encodeUnsignedToken } from './tokens.ts';

/** From five minutes to two weeks (https://firebase.google.com/docs/auth/admin/manage-cookies). */
const minimumSeconds = 5 * 60;
const maximumSeconds = 14 * 24 * 3600;

/** The cookie has the claims of the ID token and an issuer of its own. firebase-admin verifies it and asks for revocation. */
export const createSessionCookie: Operation = (service, fields) => {
  const idToken = fields.text('idToken');
  ensure(idToken, 'MISSING_ID_TOKEN');
  const validSeconds = fields.integer('validDuration') ?? maximumSeconds;
  ensure(validSeconds >= minimumSeconds && validSeconds <= maximumSeconds, 'INVALID_DURATION');
  const { claims } = accountOfIdToken(service, idToken);
  const issuedAt = service.nowSeconds();
  return {
    sessionCookie: encodeUnsignedToken({
      ...claims.payload,
      iat: issuedAt,
      exp: issuedAt + validSeconds,
      iss: `https://session.firebase.google.com/${service.projectId}`,
    }),
  };
};
