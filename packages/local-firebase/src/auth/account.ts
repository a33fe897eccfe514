/** One user of the project: what is stored, and how the Identity Toolkit shows it. */
import type { JsonObject } from './request-fields.ts';

/** A sign-in method that lives elsewhere (Google, an OIDC provider …). */
export type ProviderLink = {
  providerId: string;
  rawId: string;
  email?: string;
  displayName?: string;
  photoUrl?: string;
  screenName?: string;
};

/** The stored record. Times are milliseconds since 1970 unless the name says seconds. */
export type Account = {
  localId: string;
  /** Lower case. */
  email: string | null;
  emailVerified: boolean;
  /** The first address, once it was changed: a link to go back to it is mailed there. */
  initialEmail: string | null;
  /** Signed in by a mailed link at least once. */
  emailLinkSignin: boolean;
  displayName: string | null;
  photoUrl: string | null;
  /** E.164. */
  phoneNumber: string | null;
  /** As `passwords.ts` encodes it; never sent to anybody. */
  passwordHash: string | null;
  passwordUpdatedAt: number | null;
  /** Sessions that began before this second are revoked. Whole seconds, as in the cloud: one that began in it is not. */
  validSinceSeconds: number | null;
  disabled: boolean;
  createdAt: number;
  lastLoginAt: number | null;
  lastRefreshAt: number | null;
  /** Signed in by a custom token at least once. */
  customAuth: boolean;
  /** Custom claims as the JSON text that the Admin SDK sent. */
  customAttributes: string | null;
  providerLinks: ProviderLink[];
};

/** A record with nothing known but its id and its time. */
export function emptyAccount(localId: string, createdAt: number): Account {
  return {
    localId,
    email: null,
    emailVerified: false,
    initialEmail: null,
    emailLinkSignin: false,
    displayName: null,
    photoUrl: null,
    phoneNumber: null,
    passwordHash: null,
    passwordUpdatedAt: null,
    validSinceSeconds: null,
    disabled: false,
    createdAt,
    lastLoginAt: null,
    lastRefreshAt: null,
    customAuth: false,
    customAttributes: null,
    providerLinks: [],
  };
}

/** base64 of "REDACTED": the cloud's answer to callers that may know that there is a password, but not its hash. */
const redactedHash = 'UkVEQUNURUQ=';

/** `providerUserInfo`: how the account can sign in. A password, or a mailed link, needs an e-mail beside it. */
function providerUserInfo(account: Account): JsonObject[] {
  const profile = withoutNulls({ displayName: account.displayName, photoUrl: account.photoUrl });
  const infos: JsonObject[] = account.providerLinks.map((link) => ({ ...link, federatedId: link.rawId }));
  const { email, phoneNumber } = account;
  if (email !== null && (account.passwordHash !== null || account.emailLinkSignin)) {
    infos.push({ providerId: 'password', email, federatedId: email, rawId: email, ...profile });
  }
  if (phoneNumber !== null) infos.push({ providerId: 'phone', phoneNumber, rawId: phoneNumber });
  return infos;
}

/** The `UserInfo` of `accounts:lookup` and `accounts:batchGet`: 64-bit integers are strings, empty fields are absent. */
export function accountOnTheWire(account: Account): JsonObject {
  const infos = providerUserInfo(account);
  return withoutNulls({
    localId: account.localId,
    email: account.email,
    emailVerified: account.email === null ? null : account.emailVerified,
    initialEmail: account.initialEmail,
    emailLinkSignin: account.emailLinkSignin ? true : null,
    displayName: account.displayName,
    photoUrl: account.photoUrl,
    phoneNumber: account.phoneNumber,
    passwordHash: account.passwordHash === null ? null : redactedHash,
    passwordUpdatedAt: account.passwordUpdatedAt,
    validSince: asText(account.validSinceSeconds),
    disabled: account.disabled ? true : null,
    createdAt: asText(account.createdAt),
    lastLoginAt: asText(account.lastLoginAt),
    lastRefreshAt: account.lastRefreshAt === null ? null : new Date(account.lastRefreshAt).toISOString(),
    customAuth: account.customAuth ? true : null,
    customAttributes: account.customAttributes,
    providerUserInfo: infos.length === 0 ? null : infos,
  });
}

/** The answer of `accounts:update`. */
export function updateAnswer(account: Account): JsonObject {
  const { localId, email, displayName, photoUrl, emailVerified, passwordHash, providerUserInfo } =
    accountOnTheWire(account);
  return withoutNulls({
    kind: 'identitytoolkit#SetAccountInfoResponse',
    localId,
    email,
    displayName,
    photoUrl,
    emailVerified,
    passwordHash,
    providerUserInfo,
  });
}

/** Drops the null fields, because the SDKs tell absent from null. */
export function withoutNulls(fields: JsonObject): JsonObject {
  return Object.fromEntries(
    Object.entries(fields).filter(([, value]) => value !== null && value !== undefined),
  );
}

function asText(value: number | null): string | null {
  return value === null ? null : String(value);
}
