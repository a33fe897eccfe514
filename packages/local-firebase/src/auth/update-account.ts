/** `accounts:update`: a user changes its own profile or credentials, an administrator anybody's. */
import { type Account, updateAnswer } from './account.ts';
import { applyEmailCode } from './apply-email-code.ts';
import {
  canonicalEmail,
  ensureCustomAttributes,
  ensureEmailIsFree,
  ensurePhoneNumberIsFree,
  ensureStrongPassword,
} from './credentials.ts';
import { makeEmailCode } from './email-codes.ts';
import { ensure, notImplemented } from './errors.ts';
import { hashPassword } from './passwords.ts';
import type { JsonObject, RequestFields } from './request-fields.ts';
import type { AuthService, Caller, Operation } from './service.ts';
import { accountOfIdToken, startSession } from './sessions.ts';

/** Changes what the body names, and nothing else. New credentials end the other sessions and come with new tokens. */
export const updateAccount: Operation = async (service, fields, caller) => {
  const oobCode = fields.text('oobCode');
  if (oobCode !== undefined) return applyEmailCode(service, oobCode);
  refuseUnknownWork(fields);
  ensurePermission(fields, caller);
  const password = fields.text('password');
  if (password !== undefined) ensureStrongPassword(password);
  // The slow part first: from here to the save nothing may come between the checks and the write.
  const passwordHash = password === undefined ? undefined : await hashPassword(password);

  const { account, signInProvider } = accountToChange(service, fields, caller);
  const changed: Account = { ...account };
  changeProfile(changed, fields);
  changeEmail(service, changed, fields);
  if (passwordHash !== undefined) {
    changed.passwordHash = passwordHash;
    changed.passwordUpdatedAt = service.clock();
  }
  if (caller.privileged) changeAsAdministrator(service, changed, fields);
  removeAttributes(changed, fields);

  const newEmail = changed.email !== null && changed.email !== account.email;
  const newCredentials = passwordHash !== undefined || newEmail;
  if (newCredentials) changed.validSinceSeconds = service.nowSeconds();
  // Whoever took an account over must not be able to lock its owner out: the first address can always be had back.
  const mailsRecovery = newEmail && account.email !== null && signInProvider !== 'anonymous';
  if (mailsRecovery) changed.initialEmail ??= account.email;
  service.accounts.save(changed);
  if (mailsRecovery && changed.initialEmail !== null) {
    makeEmailCode(service, { requestType: 'RECOVER_EMAIL', email: changed.initialEmail }, caller);
  }
  const renewed = newCredentials && signInProvider !== undefined;
  const provider = passwordHash === undefined ? signInProvider : 'password';
  return {
    ...updateAnswer(changed),
    ...(renewed ? startSession(service, changed, provider ?? 'password') : {}),
  };
};

/** Refuses what would otherwise be silently left undone. */
function refuseUnknownWork(fields: RequestFields): void {
  if ((fields.object('mfa')?.['enrollments'] ?? undefined) !== undefined) {
    throw notImplemented('multi-factor enrollment');
  }
}

function ensurePermission(fields: RequestFields, { privileged }: Caller): void {
  if (privileged) return;
  ensure(fields.text('idToken') !== undefined, 'INVALID_REQ_TYPE : Unsupported request parameters.');
  ensure(fields.text('customAttributes') === undefined, 'INSUFFICIENT_PERMISSION');
  ensure(fields.flag('disableUser') === undefined, 'OPERATION_NOT_ALLOWED');
}

function accountToChange(
  service: AuthService,
  fields: RequestFields,
  { privileged }: Caller,
): { account: Account; signInProvider: string | undefined } {
  const idToken = fields.text('idToken');
  if (idToken !== undefined) {
    const { account, claims } = accountOfIdToken(service, idToken);
    return { account, signInProvider: claims.signInProvider };
  }
  const localId = fields.text('localId');
  ensure(privileged && localId, 'MISSING_LOCAL_ID');
  const account = service.accounts.find(localId);
  ensure(account !== null, 'USER_NOT_FOUND');
  return { account, signInProvider: undefined };
}

function changeProfile(account: Account, fields: RequestFields): void {
  account.displayName = fields.text('displayName') ?? account.displayName;
  account.photoUrl = fields.text('photoUrl') ?? account.photoUrl;
}

function changeEmail({ accounts }: AuthService, account: Account, fields: RequestFields): void {
  const given = fields.text('email');
  if (given === undefined) return;
  const email = canonicalEmail(given);
  if (email === account.email) return;
  ensureEmailIsFree(accounts, email, account.localId);
  account.email = email;
  account.emailVerified = false;
}

function changeAsAdministrator({ accounts }: AuthService, account: Account, fields: RequestFields): void {
  account.disabled = fields.flag('disableUser') ?? account.disabled;
  account.emailVerified = fields.flag('emailVerified') ?? account.emailVerified;
  account.validSinceSeconds = fields.integer('validSince') ?? account.validSinceSeconds;
  account.createdAt = fields.integer('createdAt') ?? account.createdAt;
  account.lastLoginAt = fields.integer('lastLoginAt') ?? account.lastLoginAt;
  const phoneNumber = fields.text('phoneNumber');
  if (phoneNumber !== undefined) {
    ensurePhoneNumberIsFree(accounts, phoneNumber, account.localId);
    account.phoneNumber = phoneNumber;
  }
  const customAttributes = fields.text('customAttributes');
  if (customAttributes !== undefined) {
    ensureCustomAttributes(customAttributes);
    account.customAttributes = customAttributes;
  }
  const link = fields.object('linkProviderUserInfo');
  if (link !== undefined) {
    const { providerId, rawId } = link;
    ensure(typeof providerId === 'string' && providerId !== '', 'MISSING_PROVIDER_ID');
    ensure(typeof rawId === 'string' && rawId !== '', 'MISSING_RAW_ID');
    const holder = accounts.findByProvider(providerId, rawId);
    ensure(holder === null || holder.localId === account.localId, 'FEDERATED_USER_ID_ALREADY_LINKED');
    const others = account.providerLinks.filter((known) => known.providerId !== providerId);
    account.providerLinks = [...others, { ...profileOf(link), providerId, rawId }];
  }
}

function profileOf(link: JsonObject): { email?: string; displayName?: string; photoUrl?: string } {
  const names = ['email', 'displayName', 'photoUrl'] as const;
  const known = names.flatMap((name) => {
    const value = link[name];
    return typeof value === 'string' ? [[name, value]] : [];
  });
  return Object.fromEntries(known) as { email?: string; displayName?: string; photoUrl?: string };
}

function removeAttributes(account: Account, fields: RequestFields): void {
  for (const attribute of fields.texts('deleteAttribute')) {
    if (attribute === 'DISPLAY_NAME') account.displayName = null;
    else if (attribute === 'PHOTO_URL') account.photoUrl = null;
    else if (attribute === 'PASSWORD') account.passwordHash = null;
    else if (attribute === 'EMAIL') removeEmail(account);
    else throw notImplemented(`deleteAttribute ${attribute}`);
  }
  for (const provider of fields.texts('deleteProvider')) {
    if (provider === 'password') {
      removeEmail(account);
      account.passwordHash = null;
    } else if (provider === 'phone') account.phoneNumber = null;
    account.providerLinks = account.providerLinks.filter(({ providerId }) => providerId !== provider);
  }
}

function removeEmail(account: Account): void {
  account.email = null;
  account.emailVerified = false;
  account.emailLinkSignin = false;
}
