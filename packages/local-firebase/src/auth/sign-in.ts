/** `accounts:signInWithPassword` and `accounts:signInWithCustomToken`. */
import { emptyAccount } from './account.ts';
import { canonicalEmail, ensureCustomClaims } from './credentials.ts';
import { ensure } from './errors.ts';
import { hashPassword, isImportedHash, isPassword } from './passwords.ts';
import { hidesWhichEmailsExist } from './project-config.ts';
import { isJsonObject, type JsonObject } from './request-fields.ts';
import type { Operation } from './service.ts';
import { startSession } from './sessions.ts';
import { decodeToken } from './tokens.ts';

/** Signs in by e-mail and password. With e-mail privacy (the default) a wrong address and a wrong password answer alike. */
export const signInWithPassword: Operation = async (service, fields) => {
  const given = fields.text('email');
  const password = fields.text('password');
  ensure(given, 'MISSING_EMAIL');
  const email = canonicalEmail(given);
  ensure(password, 'MISSING_PASSWORD');
  const hides = hidesWhichEmailsExist(service.accounts);
  const found = service.accounts.findByEmail(email);
  ensure(found !== null, hides ? 'INVALID_LOGIN_CREDENTIALS' : 'EMAIL_NOT_FOUND');
  ensure(!found.disabled, 'USER_DISABLED');
  const matches = found.passwordHash !== null && (await isPassword(password, found.passwordHash));
  ensure(matches, hides ? 'INVALID_LOGIN_CREDENTIALS' : 'INVALID_PASSWORD');
  // Only now is the password known: an imported hash gives way to one of our own.
  const isImported = found.passwordHash !== null && isImportedHash(found.passwordHash);
  const passwordHash = isImported ? await hashPassword(password) : found.passwordHash;
  // The account may have changed while the hash was made.
  const account = service.accounts.find(found.localId);
  ensure(account?.passwordHash === found.passwordHash, 'INVALID_LOGIN_CREDENTIALS');
  ensure(!account.disabled, 'USER_DISABLED');
  return {
    kind: 'identitytoolkit#VerifyPasswordResponse',
    registered: true,
    localId: account.localId,
    email,
    displayName: account.displayName ?? '',
    ...startSession(service, { ...account, passwordHash }, 'password'),
  };
};

/** The audience of every custom token (https://firebase.google.com/docs/auth/admin/create-custom-tokens). */
const customTokenAudience =
  'https://identitytoolkit.googleapis.com/google.identity.identitytoolkit.v1.IdentityToolkit';

/**
 * Signs in by a token that the app's own server made. The signature is not checked: there is no key to check it with. As in
 * the official emulator the claims may also come bare: `{"uid":"u1","claims":{}}`.
 */
export const signInWithCustomToken: Operation = (service, fields) => {
  const token = fields.text('token');
  ensure(token, 'MISSING_CUSTOM_TOKEN');
  const payload = token.startsWith('{') ? bareClaims(token) : decodeToken(token)?.payload;
  ensure(payload !== undefined, 'INVALID_CUSTOM_TOKEN : Invalid assertion format');
  ensure(
    token.startsWith('{') || payload['aud'] === customTokenAudience,
    'INVALID_CUSTOM_TOKEN : The audience is not that of a custom token; an ID token cannot be used here.',
  );
  const { uid, claims, exp } = payload;
  ensure(typeof exp !== 'number' || exp > service.nowSeconds(), 'INVALID_CUSTOM_TOKEN : Token expired');
  ensure(typeof uid === 'string' && uid !== '' && uid.length <= 128, 'MISSING_IDENTIFIER');
  const extraClaims = claims ?? {};
  ensureCustomClaims(extraClaims);
  const known = service.accounts.find(uid);
  const account = known ?? emptyAccount(uid, service.clock());
  ensure(!account.disabled, 'USER_DISABLED');
  return {
    kind: 'identitytoolkit#VerifyCustomTokenResponse',
    isNewUser: known === null,
    ...startSession(service, { ...account, customAuth: true }, 'custom', extraClaims),
  };
};

function bareClaims(token: string): JsonObject | undefined {
  try {
    const claims: unknown = JSON.parse(token);
    return isJsonObject(claims) ? claims : undefined;
  } catch {
    // Not JSON: not a token.
    return undefined;
  }
}
