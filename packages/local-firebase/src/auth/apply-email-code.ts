/** The use of a mailed code by `accounts:update`: an address verified, changed, or taken back. */
import { type Account, updateAnswer } from './account.ts';
import type { EmailCode } from './codes.ts';
import { ensureEmailIsFree } from './credentials.ts';
import { findEmailCode } from './email-codes.ts';
import { ensure, notImplemented } from './errors.ts';
import type { JsonObject } from './request-fields.ts';
import type { AuthService } from './service.ts';

/**
 * Does what the code is for and forgets the code.
 *
 * @throws AuthRequestError INVALID_OOB_CODE, EXPIRED_OOB_CODE, or EMAIL_EXISTS when another account has the address meanwhile.
 */
export function applyEmailCode(service: AuthService, oobCode: string): JsonObject {
  const code = findEmailCode(service, oobCode);
  const account = accountOfCode(service, code);
  ensure(account !== null, 'INVALID_OOB_CODE');
  const email = code.requestType === 'VERIFY_AND_CHANGE_EMAIL' ? (code.newEmail ?? code.email) : code.email;
  ensureEmailIsFree(service.accounts, email, account.localId);
  service.codes.email.delete(oobCode);
  const moves = email !== account.email;
  const changed: Account = {
    ...account,
    email,
    emailVerified: true,
    // Sessions that began under the other address end.
    validSinceSeconds: moves ? service.nowSeconds() : account.validSinceSeconds,
  };
  service.accounts.save(changed);
  const { newEmail } = code;
  return { ...updateAnswer(changed), ...(newEmail === undefined ? {} : { newEmail }) };
}

function accountOfCode({ accounts }: AuthService, { requestType, email }: EmailCode): Account | null {
  switch (requestType) {
    case 'VERIFY_EMAIL':
    case 'VERIFY_AND_CHANGE_EMAIL':
      return accounts.findByEmail(email);
    case 'RECOVER_EMAIL':
      return accounts.findByInitialEmail(email);
    default:
      throw notImplemented(`${requestType} codes in accounts:update`);
  }
}
