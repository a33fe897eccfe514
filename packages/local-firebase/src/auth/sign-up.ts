/** `accounts:signUp`: a new account (anonymous, by e-mail, or made by an administrator), or an e-mail linked to an anonymous one. */
import { type Account, emptyAccount, withoutNulls } from './account.ts';
import {
  canonicalEmail,
  ensureEmailIsFree,
  ensurePhoneNumberIsFree,
  ensureStrongPassword,
} from './credentials.ts';
import { ensure, notImplemented } from './errors.ts';
import { hashPassword } from './passwords.ts';
import type { JsonObject, RequestFields } from './request-fields.ts';
import type { AuthService, Operation } from './service.ts';
import { accountOfIdToken, startSession } from './sessions.ts';

/** Sends the call to the right kind of sign-up. */
export const signUp: Operation = (service, fields, { privileged }) => {
  if (fields.object('mfa') !== undefined || fields.objects('mfaInfo').length > 0) {
    throw notImplemented('multi-factor enrollment');
  }
  if (privileged) return createByAdministrator(service, fields);
  ensure(fields.text('localId') === undefined, 'UNEXPECTED_PARAMETER : User ID');
  const credential = ['idToken', 'email', 'password'].some((name) => fields.text(name) !== undefined);
  return credential ? signUpByEmail(service, fields) : signUpAnonymously(service);
};

function signUpAnonymously(service: AuthService): JsonObject {
  const account = emptyAccount(newLocalId(service), service.clock());
  return signUpAnswer(account, startSession(service, account, 'anonymous'));
}

async function signUpByEmail(service: AuthService, fields: RequestFields): Promise<JsonObject> {
  const given = fields.text('email');
  const password = fields.text('password');
  ensure(given, 'MISSING_EMAIL');
  ensure(password, 'MISSING_PASSWORD');
  const email = canonicalEmail(given);
  ensureStrongPassword(password);
  // The slow part first: from here to the save nothing may come between the checks and the write.
  const passwordHash = await hashPassword(password);
  const idToken = fields.text('idToken');
  const account =
    idToken === undefined
      ? emptyAccount(newLocalId(service), service.clock())
      : accountOfIdToken(service, idToken).account;
  ensureEmailIsFree(service.accounts, email);
  const signedUp: Account = {
    ...account,
    email,
    emailVerified: false,
    displayName: fields.text('displayName') ?? account.displayName,
    passwordHash,
    passwordUpdatedAt: service.clock(),
    // An e-mail that is added ends no session; a new account has none.
    validSinceSeconds: idToken === undefined ? service.nowSeconds() : account.validSinceSeconds,
  };
  return signUpAnswer(signedUp, startSession(service, signedUp, 'password'));
}

/** The Admin SDK's `createUser`: any field, no session. */
async function createByAdministrator(service: AuthService, fields: RequestFields): Promise<JsonObject> {
  const { accounts } = service;
  ensure(fields.text('idToken') === undefined, 'UNEXPECTED_PARAMETER : ID token');
  const given = fields.text('email');
  const email = given === undefined ? null : canonicalEmail(given);
  const password = fields.text('password');
  if (password !== undefined) ensureStrongPassword(password);
  const passwordHash = password === undefined ? null : await hashPassword(password);
  const localId = fields.text('localId') ?? newLocalId(service);
  ensure(localId.length > 0 && localId.length <= 128, 'INVALID_LOCAL_ID');
  ensure(accounts.find(localId) === null, 'DUPLICATE_LOCAL_ID');
  if (email !== null) ensureEmailIsFree(accounts, email);
  const phoneNumber = fields.text('phoneNumber') ?? null;
  if (phoneNumber !== null) ensurePhoneNumberIsFree(accounts, phoneNumber);
  const account: Account = {
    ...emptyAccount(localId, service.clock()),
    email,
    emailVerified: fields.flag('emailVerified') ?? false,
    displayName: fields.text('displayName') ?? null,
    photoUrl: fields.text('photoUrl') ?? null,
    phoneNumber,
    passwordHash,
    passwordUpdatedAt: passwordHash === null ? null : service.clock(),
    validSinceSeconds: passwordHash === null ? null : service.nowSeconds(),
    disabled: fields.flag('disabled') ?? false,
  };
  accounts.save(account);
  return signUpAnswer(account, {});
}

function signUpAnswer(account: Account, tokens: object): JsonObject {
  const { localId, email, displayName } = account;
  return {
    kind: 'identitytoolkit#SignupNewUserResponse',
    ...withoutNulls({ localId, email, displayName }),
    ...tokens,
  };
}

/** 28 characters, as the cloud's. */
export function newLocalId({ randomId }: AuthService): string {
  return randomId(28);
}
