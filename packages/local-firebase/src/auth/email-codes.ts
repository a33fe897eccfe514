/** `accounts:sendOobCode` and `accounts:resetPassword`: codes that would be mailed, and the first use of them. */
import { withoutNulls } from './account.ts';
import type { EmailCode, EmailCodePurpose } from './codes.ts';
import { canonicalEmail, ensureEmailIsFree, ensureStrongPassword } from './credentials.ts';
import { ensure, notImplemented } from './errors.ts';
import { hashPassword } from './passwords.ts';
import { hidesWhichEmailsExist } from './project-config.ts';
import type { RequestFields } from './request-fields.ts';
import type { AuthService, Caller, Operation } from './service.ts';
import { accountOfIdToken } from './sessions.ts';

/** `mode` of the link, which the web SDK's `ActionCodeURL` turns back into an operation. */
const modes: Record<EmailCodePurpose, string> = {
  PASSWORD_RESET: 'resetPassword',
  VERIFY_EMAIL: 'verifyEmail',
  VERIFY_AND_CHANGE_EMAIL: 'verifyAndChangeEmail',
  EMAIL_SIGNIN: 'signIn',
  RECOVER_EMAIL: 'recoverEmail',
};

const hourMs = 3600 * 1000;

/** Short where the code opens an account; Firebase does not publish its own. */
const lifetimesMs: Record<EmailCodePurpose, number> = {
  PASSWORD_RESET: hourMs,
  EMAIL_SIGNIN: 6 * hourMs,
  VERIFY_EMAIL: 72 * hourMs,
  VERIFY_AND_CHANGE_EMAIL: 72 * hourMs,
  RECOVER_EMAIL: 30 * 24 * hourMs,
};

/** Makes a code. Administrators may have the link in the answer; for others it is logged and listed, as if mailed. */
export const sendEmailCode: Operation = (service, fields, caller) => {
  const purpose = fields.text('requestType');
  ensure(purpose && purpose !== 'OOB_REQ_TYPE_UNSPECIFIED', 'MISSING_REQ_TYPE');
  const returnsLink = fields.flag('returnOobLink') ?? false;
  ensure(!returnsLink || caller.privileged, 'INSUFFICIENT_PERMISSION');
  const continueUrl = fields.text('continueUrl');
  ensure(
    continueUrl === undefined || URL.canParse(continueUrl),
    'INVALID_CONTINUE_URI : ((expected an absolute URI with valid scheme and host))',
  );
  const addressee = addresseeOf(service, fields, purpose, caller);
  const kind = 'identitytoolkit#GetOobConfirmationCodeResponse';
  if (addressee.unknown) return { kind, email: addressee.email };
  const { email, newEmail } = addressee;
  const code = makeEmailCode(
    service,
    { requestType: purpose as EmailCodePurpose, email, newEmail },
    caller,
    continueUrl,
  );
  const { oobCode, oobLink } = code;
  return { kind, email, ...(returnsLink ? { oobCode, oobLink } : {}) };
};

type Addressee = { email: string; newEmail?: string | undefined; unknown?: boolean };

/** Whom the code is for. `unknown` where nobody has the address and the answer must not show it. */
function addresseeOf(
  service: AuthService,
  fields: RequestFields,
  purpose: string,
  { privileged }: Caller,
): Addressee {
  const named = () => {
    const email = fields.text('email');
    ensure(email, 'MISSING_EMAIL');
    return canonicalEmail(email);
  };
  /** The caller's own address, or the one that an administrator names. */
  const ownOrNamed = () => {
    const idToken = fields.text('idToken');
    if (idToken === undefined && privileged) {
      const email = named();
      ensure(service.accounts.findByEmail(email) !== null, 'USER_NOT_FOUND');
      return email;
    }
    ensure(idToken, purpose === 'VERIFY_EMAIL' ? 'INVALID_ID_TOKEN' : 'MISSING_ID_TOKEN');
    const { email } = accountOfIdToken(service, idToken).account;
    ensure(email !== null, 'MISSING_EMAIL');
    return email;
  };
  switch (purpose) {
    case 'EMAIL_SIGNIN':
      return { email: named() };
    case 'PASSWORD_RESET': {
      const email = named();
      if (service.accounts.findByEmail(email) !== null) return { email };
      ensure(!privileged && hidesWhichEmailsExist(service.accounts), 'EMAIL_NOT_FOUND');
      return { email, unknown: true };
    }
    case 'VERIFY_EMAIL':
      return { email: ownOrNamed() };
    case 'VERIFY_AND_CHANGE_EMAIL': {
      const newEmail = fields.text('newEmail');
      ensure(newEmail, 'MISSING_NEW_EMAIL');
      const email = ownOrNamed();
      ensureEmailIsFree(service.accounts, canonicalEmail(newEmail));
      return { email, newEmail: canonicalEmail(newEmail) };
    }
    default:
      throw notImplemented(`codes for ${purpose}`);
  }
}

/** Makes and logs a code with its link, which leads to the pages of `action-page.ts`. */
export function makeEmailCode(
  { codes, clock, randomId, logger }: AuthService,
  {
    requestType,
    email,
    newEmail,
  }: Pick<EmailCode, 'requestType' | 'email'> & { newEmail?: string | undefined },
  { origin }: Caller,
  continueUrl?: string,
): EmailCode {
  const oobCode = randomId(54);
  const link = new URL('/emulator/action', origin);
  link.searchParams.set('mode', modes[requestType]);
  link.searchParams.set('lang', 'en');
  link.searchParams.set('oobCode', oobCode);
  // The SDKs refuse a link without a key; it is not checked.
  link.searchParams.set('apiKey', 'local');
  if (continueUrl !== undefined) link.searchParams.set('continueUrl', continueUrl);
  const change = newEmail === undefined ? {} : { newEmail };
  const code = { oobCode, requestType, email, ...change, oobLink: link.href, createdAt: clock() };
  codes.email.save(oobCode, code);
  logger.info({ purpose: requestType, email, link: link.href }, 'a mail would say: follow this link');
  return code;
}

/** @throws AuthRequestError INVALID_OOB_CODE or EXPIRED_OOB_CODE. */
export function findEmailCode({ codes, clock }: AuthService, oobCode: string): EmailCode {
  const code = codes.email.find(oobCode);
  ensure(code !== null, 'INVALID_OOB_CODE');
  ensure(clock() < code.createdAt + lifetimesMs[code.requestType], 'EXPIRED_OOB_CODE');
  return code;
}

/** Says what a code is for, and with `newPassword` uses it: the address counts as verified, other sessions end. */
export const resetPassword: Operation = async (service, fields) => {
  const oobCode = fields.text('oobCode');
  ensure(oobCode, 'MISSING_OOB_CODE');
  const { requestType, email, newEmail } = findEmailCode(service, oobCode);
  const newPassword = fields.text('newPassword');
  if (newPassword !== undefined) {
    ensure(requestType === 'PASSWORD_RESET', 'INVALID_OOB_CODE');
    ensureStrongPassword(newPassword);
    const passwordHash = await hashPassword(newPassword);
    // The same code may have been used while the hash was made.
    findEmailCode(service, oobCode);
    const account = service.accounts.findByEmail(email);
    ensure(account !== null, 'INVALID_OOB_CODE');
    service.codes.email.delete(oobCode);
    service.accounts.save({
      ...account,
      emailVerified: true,
      passwordHash,
      passwordUpdatedAt: service.clock(),
      validSinceSeconds: service.nowSeconds(),
    });
  }
  return withoutNulls({
    kind: 'identitytoolkit#ResetPasswordResponse',
    requestType,
    // The address of a sign-in link is asked of the person, who may have got the link from somebody else.
    email: requestType === 'EMAIL_SIGNIN' ? null : email,
    newEmail,
  });
};
