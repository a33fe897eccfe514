/** Writes and reads the unsigned JSON Web Tokens that the Firebase SDKs accept from an emulator (`alg: none`). */
import { type Account, withoutNulls } from './account.ts';
import { isJsonObject, type JsonObject } from './request-fields.ts';

/** An ID token lives an hour, as in the cloud. */
export const idTokenLifetimeSeconds = 3600;

/** The claims that this package reads from an ID token. */
export type IdTokenClaims = {
  uid: string;
  issuedAtSeconds: number;
  authTimeSeconds: number;
  signInProvider: string;
  /** The whole payload, custom claims included. */
  payload: JsonObject;
};

/** The parts of a JWT, or null when the text is none. The signature is not looked at. */
export function decodeToken(token: string): { header: JsonObject; payload: JsonObject } | null {
  const [header, payload, ...rest] = token
    .split('.')
    .map((part) => Buffer.from(part, 'base64url').toString());
  if (header === undefined || payload === undefined || rest.length !== 1) return null;
  try {
    const parsed = { header: JSON.parse(header) as unknown, payload: JSON.parse(payload) as unknown };
    if (!isJsonObject(parsed.header) || !isJsonObject(parsed.payload)) return null;
    return { header: parsed.header, payload: parsed.payload };
  } catch {
    // Not JSON: not a token.
    return null;
  }
}

/** `header.payload.` with an empty signature. */
export function encodeUnsignedToken(payload: JsonObject): string {
  const part = (value: JsonObject) => Buffer.from(JSON.stringify(value)).toString('base64url');
  return `${part({ alg: 'none', typ: 'JWT' })}.${part(payload)}.`;
}

/** Where a token of the project says it comes from. */
function tokenIssuer(projectId: string): string {
  return `https://securetoken.google.com/${projectId}`;
}

/** Makes the ID token of an account, with the claims of https://firebase.google.com/docs/auth/admin/verify-id-tokens. */
export function encodeIdToken(
  account: Account,
  session: { signInProvider: string; extraClaims: JsonObject; authTimeSeconds: number },
  { projectId, nowSeconds }: { projectId: string; nowSeconds: number },
): string {
  const identities: Record<string, string[]> = {};
  if (account.email !== null) identities['email'] = [account.email];
  if (account.phoneNumber !== null) identities['phone'] = [account.phoneNumber];
  for (const { providerId, rawId } of account.providerLinks) {
    identities[providerId] = [...(identities[providerId] ?? []), rawId];
  }
  const { signInProvider } = session;
  return encodeUnsignedToken(
    withoutNulls({
      name: account.displayName,
      picture: account.photoUrl,
      ...(JSON.parse(account.customAttributes ?? '{}') as JsonObject),
      ...session.extraClaims,
      // What follows is the service's to say: no custom claim may replace it.
      email: account.email,
      email_verified: account.email === null ? null : account.emailVerified,
      phone_number: account.phoneNumber,
      provider_id: signInProvider === 'anonymous' ? 'anonymous' : null,
      auth_time: session.authTimeSeconds,
      user_id: account.localId,
      sub: account.localId,
      iss: tokenIssuer(projectId),
      aud: projectId,
      iat: nowSeconds,
      exp: nowSeconds + idTokenLifetimeSeconds,
      firebase: { identities, sign_in_provider: signInProvider },
    }),
  );
}

/**
 * Reads an ID token of the project, or null when it is not one or no longer holds. Nothing proves who wrote it: the
 * local services listen on this machine and trust what an emulator trusts.
 */
export function decodeIdToken(
  token: string,
  { projectId, nowSeconds }: { projectId: string; nowSeconds: number },
): IdTokenClaims | null {
  const payload = decodeToken(token)?.payload;
  if (payload === undefined || payload['aud'] !== projectId || payload['iss'] !== tokenIssuer(projectId))
    return null;
  const { sub, iat, exp, auth_time: authTime, firebase } = payload;
  if (typeof sub !== 'string' || sub === '') return null;
  if (typeof iat !== 'number' || typeof exp !== 'number') return null;
  // The SDKs' test tokens (mockUserToken) are issued at second 0 and hold for ever.
  if (iat > 0 && exp <= nowSeconds) return null;
  const signInProvider = isJsonObject(firebase) ? firebase['sign_in_provider'] : undefined;
  return {
    uid: sub,
    issuedAtSeconds: iat,
    authTimeSeconds: typeof authTime === 'number' ? authTime : iat,
    signInProvider: typeof signInProvider === 'string' ? signInProvider : 'custom',
    payload,
  };
}
