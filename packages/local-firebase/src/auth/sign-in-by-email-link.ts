/** `accounts:signInWithEmailLink`: signing in, or adding an address to an account, by a mailed link. */
import { emptyAccount } from './account.ts';
import { canonicalEmail, ensureEmailIsFree } from './credentials.ts';
import { findEmailCode } from './email-codes.ts';
import { ensure } from './errors.ts';
import type { Operation } from './service.ts';
import { accountOfIdToken, startSession } from './sessions.ts';
import { newLocalId } from './sign-up.ts';

/** The link proves the address: an account with it is signed in, else one is made. */
export const signInWithEmailLink: Operation = (service, fields) => {
  const given = fields.text('email');
  ensure(given, 'MISSING_EMAIL');
  const email = canonicalEmail(given);
  const oobCode = fields.text('oobCode');
  ensure(oobCode, 'MISSING_OOB_CODE');
  const code = findEmailCode(service, oobCode);
  ensure(code.requestType === 'EMAIL_SIGNIN', 'INVALID_OOB_CODE');
  ensure(
    code.email === email,
    'INVALID_EMAIL : The email provided does not match the sign-in email address.',
  );
  const idToken = fields.text('idToken');
  const own = idToken === undefined ? null : accountOfIdToken(service, idToken).account;
  if (own !== null) ensureEmailIsFree(service.accounts, email, own.localId);
  const known = own ?? service.accounts.findByEmail(email);
  ensure(known === null || !known.disabled, 'USER_DISABLED');
  service.codes.email.delete(oobCode);
  const account = known ?? emptyAccount(newLocalId(service), service.clock());
  const signedIn = { ...account, email, emailVerified: true, emailLinkSignin: true };
  return {
    kind: 'identitytoolkit#EmailLinkSigninResponse',
    email,
    localId: account.localId,
    isNewUser: known === null,
    ...startSession(service, signedIn, 'password'),
  };
};
