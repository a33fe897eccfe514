/** `accounts:batchCreate`: many accounts at once, with the hashes of their passwords (`importUsers`, `auth:import`). */
import { type Account, emptyAccount, type ProviderLink, withoutNulls } from './account.ts';
import { ensureCustomAttributes } from './credentials.ts';
import { AuthRequestError, ensure, notImplemented } from './errors.ts';
import { type ImportedHashOptions, importedHashOptions } from './imported-passwords.ts';
import { encodeImportedHash, hashPassword } from './passwords.ts';
import { type JsonObject, type RequestFields, requestFields } from './request-fields.ts';
import type { AuthService, Operation } from './service.ts';

/** Makes each account that can be made; the others are listed with reasons. */
export const importAccounts: Operation = async (service, fields) => {
  const users = fields.objects('users');
  ensure(users.length > 0, 'MISSING_USER_ACCOUNT');
  ensure(users.length <= 1000, 'INVALID_ARGUMENT : At most 1000 users can be imported at once.');
  const allowOverwrite = fields.flag('allowOverwrite') ?? false;
  const hashed = users.some(({ passwordHash }) => typeof passwordHash === 'string');
  const hashOptions = hashed ? importedHashOptions(fields) : null;
  const error: JsonObject[] = [];
  const seen = new Set<string>();
  for (const [index, user] of users.entries()) {
    try {
      const account = await accountToImport(service, requestFields(user), hashOptions);
      const { localId } = account;
      ensure(allowOverwrite || !seen.has(localId), `DUPLICATE_LOCAL_ID : ${localId}`);
      ensure(
        allowOverwrite || service.accounts.find(localId) === null,
        'localId belongs to an existing account - can not overwrite.',
      );
      ensureNobodyElseHas(service, account);
      seen.add(localId);
      service.accounts.save(account);
    } catch (cause) {
      if (!(cause instanceof AuthRequestError)) throw cause;
      error.push({ index, message: importMessage(cause.message) });
    }
  }
  return { kind: 'identitytoolkit#UploadAccountResponse', error };
};

async function accountToImport(
  service: AuthService,
  user: RequestFields,
  hashOptions: ImportedHashOptions | null,
): Promise<Account> {
  const localId = user.text('localId');
  ensure(localId, 'localId is missing');
  if (user.objects('mfaInfo').length > 0) throw notImplemented('multi-factor enrollment');
  if (user.text('tenantId') !== undefined) throw notImplemented('tenants');
  const email = user.text('email');
  ensure(email === undefined || /^[^\s@]+@[^\s@]+$/.test(email), 'email is invalid');
  const phoneNumber = user.text('phoneNumber');
  ensure(
    phoneNumber === undefined || /^\+[1-9]\d{6,14}$/.test(phoneNumber),
    'phone number format is invalid',
  );
  const customAttributes = user.text('customAttributes');
  if (customAttributes !== undefined) ensureCustomAttributes(customAttributes);
  const passwordHash = await importedPassword(user, hashOptions);
  const now = service.clock();
  return {
    ...emptyAccount(localId, user.integer('createdAt') ?? now),
    email: email?.toLowerCase() ?? null,
    emailVerified: user.flag('emailVerified') ?? false,
    displayName: user.text('displayName') ?? null,
    photoUrl: user.text('photoUrl') ?? null,
    phoneNumber: phoneNumber ?? null,
    passwordHash,
    passwordUpdatedAt: passwordHash === null ? null : now,
    validSinceSeconds: service.nowSeconds(),
    disabled: user.flag('disabled') ?? false,
    lastLoginAt: user.integer('lastLoginAt') ?? null,
    customAttributes: customAttributes ?? null,
    providerLinks: user.objects('providerUserInfo').flatMap(importedLink),
  };
}

async function importedPassword(
  user: RequestFields,
  options: ImportedHashOptions | null,
): Promise<string | null> {
  const hash = user.text('passwordHash');
  if (hash !== undefined && options !== null) {
    return encodeImportedHash({ ...options, hash, salt: user.text('salt') ?? '' });
  }
  const rawPassword = user.text('rawPassword');
  return rawPassword === undefined ? null : hashPassword(rawPassword);
}

/** Password and phone come from the fields of the account itself. */
function importedLink(info: JsonObject): ProviderLink[] {
  const { text } = requestFields(info);
  const providerId = text('providerId');
  if (providerId === 'password' || providerId === 'phone') return [];
  const rawId = text('rawId');
  ensure(providerId && rawId, 'federatedId or (providerId & rawId) is required');
  const names = ['email', 'displayName', 'photoUrl', 'screenName'] as const;
  const profile = withoutNulls(Object.fromEntries(names.map((name) => [name, text(name)])));
  return [{ ...profile, providerId, rawId }];
}

function ensureNobodyElseHas({ accounts }: AuthService, account: Account): void {
  const { localId, email, phoneNumber, providerLinks } = account;
  const free = (holder: Account | null, message: string) =>
    ensure(holder === null || holder.localId === localId, message);
  if (email !== null) free(accounts.findByEmail(email), 'email exists in other account in database');
  if (phoneNumber !== null) {
    free(accounts.findByPhoneNumber(phoneNumber), 'phone number exists in other account in database');
  }
  for (const { providerId, rawId } of providerLinks) {
    free(accounts.findByProvider(providerId, rawId), 'raw id exists in other account in database');
  }
}

/** The words that an import's report has for the refusals of claims. */
function importMessage(message: string): string {
  if (message === 'INVALID_CLAIMS') return 'Invalid custom claims provided.';
  if (message === 'CLAIMS_TOO_LARGE') return 'Custom claims provided are too large.';
  if (message.startsWith('FORBIDDEN_CLAIM')) return 'Custom claims provided include a reserved claim.';
  return message;
}
