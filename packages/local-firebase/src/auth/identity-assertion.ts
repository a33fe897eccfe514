/** Reads what an identity provider (Google, an OIDC provider …) says of a person, in the forms that the Auth emulator takes. */
import { canonicalEmail } from './credentials.ts';
import { AuthRequestError, ensure, notImplemented } from './errors.ts';
import { isJsonObject, type JsonObject, type RequestFields } from './request-fields.ts';
import { decodeToken } from './tokens.ts';

/** A provider's word about one person. Nothing is checked with the provider: see the README. */
export type IdentityAssertion = {
  providerId: string;
  /** The person's id at the provider. */
  rawId: string;
  email: string | undefined;
  /** Whether the provider vouches for the address. */
  emailVerified: boolean;
  displayName: string | undefined;
  photoUrl: string | undefined;
  screenName: string | undefined;
  /** The claims as they came. */
  claims: JsonObject;
  idToken: string | undefined;
  accessToken: string | undefined;
};

/**
 * Takes `requestUri` and `postBody` of `accounts:signInWithIdp`. The token is strict JSON claims (`{"sub":"abc123","email":
 * "a@example.com","email_verified":true}`) or a JWT, whose signature is not looked at.
 *
 * @throws AuthRequestError INVALID_IDP_RESPONSE and the like; 501 for what cannot be known without the provider.
 */
export function readIdentityAssertion(fields: RequestFields): IdentityAssertion {
  const parameters = assertionParameters(fields);
  const providerId = parameters.get('providerId')?.toLowerCase();
  ensure(providerId, 'INVALID_CREDENTIAL_OR_PROVIDER_ID : Invalid IdP response/credential: no providerId');
  if (providerId.startsWith('saml.')) throw notImplemented('SAML sign-in');
  const idToken = parameters.get('id_token') ?? undefined;
  const accessToken = parameters.get('access_token') ?? undefined;
  const claims = claimsOf(idToken) ?? claimsOf(accessToken);
  if (claims === null) {
    ensure(
      idToken === undefined,
      'INVALID_IDP_RESPONSE : Unable to parse id_token: expected strict JSON or a JWT.',
    );
    throw notImplemented(`${providerId} sign-in without an id_token: there is no provider to ask`);
  }
  const text = (name: string) => (typeof claims[name] === 'string' ? claims[name] : undefined);
  const rawId = text('sub');
  ensure(
    rawId,
    'INVALID_IDP_RESPONSE : Invalid Idp Response: id_token missing required fields. ((Missing "sub" field. This field is required and must be a unique identifier.))',
  );
  const email = text('email');
  return {
    providerId,
    rawId,
    email: email === undefined ? undefined : canonicalEmail(email),
    emailVerified: claims['email_verified'] === true,
    displayName: text('name'),
    photoUrl: text('picture'),
    screenName: text('screen_name'),
    claims,
    idToken,
    accessToken,
  };
}

/** The parameters of the address that the provider sent the person back to, and of the body beside it. */
function assertionParameters(fields: RequestFields): URLSearchParams {
  const requestUri = fields.text('requestUri');
  ensure(requestUri, 'MISSING_REQUEST_URI');
  ensure(URL.canParse(requestUri), 'INVALID_REQUEST_URI');
  const { searchParams, hash } = new URL(requestUri);
  for (const more of [fields.text('postBody') ?? '', hash.slice(1)]) {
    for (const [name, value] of new URLSearchParams(more)) searchParams.set(name, value);
  }
  return searchParams;
}

function claimsOf(token: string | undefined): JsonObject | null {
  if (token === undefined) return null;
  if (!token.startsWith('{')) return decodeToken(token)?.payload ?? null;
  try {
    const claims: unknown = JSON.parse(token);
    if (isJsonObject(claims)) return claims;
  } catch {
    // Answered below, as for any text that is no claims.
  }
  throw new AuthRequestError('INVALID_IDP_RESPONSE : Unable to parse id_token as strict JSON.');
}

/** The fields of `VerifyAssertionResponse` that the assertion alone decides. */
export function assertionAnswer(assertion: IdentityAssertion): JsonObject {
  const { providerId, rawId, email, emailVerified, displayName, photoUrl, screenName, claims } = assertion;
  const isGoogle = providerId === 'google.com';
  return {
    kind: 'identitytoolkit#VerifyAssertionResponse',
    context: '',
    providerId,
    federatedId: isGoogle ? `https://accounts.google.com/${rawId}` : rawId,
    displayName,
    fullName: displayName,
    screenName,
    email,
    emailVerified,
    photoUrl,
    rawUserInfo: JSON.stringify(isGoogle ? googleProfile(assertion) : claims),
    ...(isGoogle ? { firstName: claims['given_name'], lastName: claims['family_name'] } : {}),
    oauthIdToken: assertion.idToken,
    oauthAccessToken: assertion.accessToken ?? `local-access-token-of-${providerId}`,
  };
}

/** What Google's userinfo endpoint would answer; `getAdditionalUserInfo().profile` shows it. */
function googleProfile({ rawId, email, emailVerified, displayName, photoUrl, claims }: IdentityAssertion) {
  const { given_name, family_name } = claims;
  return {
    granted_scopes: `openid https://www.googleapis.com/auth/userinfo.profile${email === undefined ? '' : ' https://www.googleapis.com/auth/userinfo.email'}`,
    id: rawId,
    name: displayName,
    given_name,
    family_name,
    verified_email: emailVerified,
    locale: 'en',
    email,
    picture: photoUrl,
  };
}
