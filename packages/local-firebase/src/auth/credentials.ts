/** The vendor's rules for what identifies an account: e-mail addresses, passwords, phone numbers, custom claims. */
import type { AccountStore } from './accounts.ts';
import { ensure } from './errors.ts';
import { minimumPasswordLength } from './passwords.ts';
import { isJsonObject, type JsonObject } from './request-fields.ts';

/** Lower-cases an address. @throws AuthRequestError INVALID_EMAIL */
export function canonicalEmail(email: string): string {
  ensure(/^[^\s@]+@[^\s@]+\.[^\s@]+$/.test(email) && email.length <= 256, 'INVALID_EMAIL');
  return email.toLowerCase();
}

/** @throws AuthRequestError EMAIL_EXISTS when another account than `localId` has the address. */
export function ensureEmailIsFree(accounts: AccountStore, email: string, localId?: string): void {
  const holder = accounts.findByEmail(email);
  ensure(holder === null || holder.localId === localId, 'EMAIL_EXISTS');
}

/** @throws AuthRequestError INVALID_PHONE_NUMBER unless it is in E.164's form. */
export function ensurePhoneNumber(phoneNumber: string): void {
  ensure(/^\+[1-9]\d{6,14}$/.test(phoneNumber), 'INVALID_PHONE_NUMBER : Invalid format.');
}

/** @throws AuthRequestError INVALID_PHONE_NUMBER or PHONE_NUMBER_EXISTS. */
export function ensurePhoneNumberIsFree(accounts: AccountStore, phoneNumber: string, localId?: string): void {
  ensurePhoneNumber(phoneNumber);
  const holder = accounts.findByPhoneNumber(phoneNumber);
  ensure(holder === null || holder.localId === localId, 'PHONE_NUMBER_EXISTS');
}

/** @throws AuthRequestError WEAK_PASSWORD */
export function ensureStrongPassword(password: string): void {
  ensure(
    password.length >= minimumPasswordLength,
    `WEAK_PASSWORD : Password should be at least ${minimumPasswordLength} characters`,
  );
}

/** Claims that only the service may set (https://firebase.google.com/docs/auth/admin/custom-claims). */
const reservedClaims = [
  ...['acr', 'amr', 'at_hash', 'aud', 'auth_time', 'azp', 'cnf', 'c_hash', 'exp'],
  ...['firebase', 'iat', 'iss', 'jti', 'nbf', 'nonce', 'sub'],
];

/** @throws AuthRequestError INVALID_CLAIMS or FORBIDDEN_CLAIM. */
export function ensureCustomClaims(claims: unknown): asserts claims is JsonObject {
  ensure(isJsonObject(claims), 'INVALID_CLAIMS');
  for (const claim of reservedClaims) ensure(!(claim in claims), `FORBIDDEN_CLAIM : ${claim}`);
}

/** Checks the JSON text of custom claims, at most 1000 characters. @throws as `ensureCustomClaims`, or CLAIMS_TOO_LARGE. */
export function ensureCustomAttributes(text: string): void {
  ensure(text.length <= 1000, 'CLAIMS_TOO_LARGE');
  let claims: unknown;
  try {
    claims = JSON.parse(text);
  } catch {
    claims = undefined;
  }
  ensureCustomClaims(claims);
}
