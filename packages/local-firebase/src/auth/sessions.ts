/** Sessions: the pair of ID token and refresh token that a sign-in gives, and what either is worth later. */
import { createHash } from 'node:crypto';
import type { Account } from './account.ts';
import { ensure } from './errors.ts';
import type { JsonObject } from './request-fields.ts';
import type { AuthService } from './service.ts';
import { decodeIdToken, encodeIdToken, type IdTokenClaims, idTokenLifetimeSeconds } from './tokens.ts';

/** As the vendor's answers carry it: `expiresIn` is seconds in a string. */
export type SessionTokens = { idToken: string; refreshToken: string; expiresIn: string };

/** Signs the account in: a new refresh token, and the first ID token. Stores the account with its new times. */
export function startSession(
  { accounts, projectId, clock, nowSeconds, randomId }: AuthService,
  account: Account,
  signInProvider: string,
  extraClaims: JsonObject = {},
): SessionTokens {
  const session = { localId: account.localId, signInProvider, extraClaims, authTimeSeconds: nowSeconds() };
  accounts.save({ ...account, lastLoginAt: clock(), lastRefreshAt: clock() });
  const refreshToken = randomId(43);
  accounts.saveSession(tokenHash(refreshToken), session);
  return {
    idToken: encodeIdToken(account, session, { projectId, nowSeconds: nowSeconds() }),
    refreshToken,
    expiresIn: String(idTokenLifetimeSeconds),
  };
}

/**
 * Gives a new ID token for a refresh token. The refresh token stays the same, as in the cloud.
 *
 * @throws AuthRequestError INVALID_REFRESH_TOKEN, USER_NOT_FOUND, USER_DISABLED or TOKEN_EXPIRED (revoked).
 */
export function refreshSession(
  { accounts, projectId, clock, nowSeconds }: AuthService,
  refreshToken: string,
): SessionTokens & { localId: string } {
  const session = accounts.findSession(tokenHash(refreshToken));
  ensure(session !== null, 'INVALID_REFRESH_TOKEN');
  const account = accounts.find(session.localId);
  ensure(account !== null, 'USER_NOT_FOUND');
  ensure(!account.disabled, 'USER_DISABLED');
  ensure(session.authTimeSeconds >= (account.validSinceSeconds ?? 0), 'TOKEN_EXPIRED');
  accounts.save({ ...account, lastRefreshAt: clock() });
  return {
    localId: account.localId,
    idToken: encodeIdToken(account, session, { projectId, nowSeconds: nowSeconds() }),
    refreshToken,
    expiresIn: String(idTokenLifetimeSeconds),
  };
}

/**
 * Finds whose ID token it is.
 *
 * @throws AuthRequestError INVALID_ID_TOKEN, USER_NOT_FOUND, TOKEN_EXPIRED (revoked) or USER_DISABLED.
 */
export function accountOfIdToken(
  { accounts, projectId, nowSeconds }: AuthService,
  idToken: string,
): { account: Account; claims: IdTokenClaims } {
  const claims = decodeIdToken(idToken, { projectId, nowSeconds: nowSeconds() });
  ensure(claims !== null, 'INVALID_ID_TOKEN');
  const account = accounts.find(claims.uid);
  ensure(account !== null, 'USER_NOT_FOUND');
  ensure(
    account.validSinceSeconds === null || claims.issuedAtSeconds >= account.validSinceSeconds,
    'TOKEN_EXPIRED',
  );
  ensure(!account.disabled, 'USER_DISABLED');
  return { account, claims };
}

/** The store keeps hashes alone: a copied database signs nobody in. */
function tokenHash(refreshToken: string): string {
  return createHash('sha256').update(refreshToken).digest('base64url');
}
