/** `accounts:signInWithIdp`: signing in by an identity provider's word, or linking the provider to an account. */
import { type Account, emptyAccount, type ProviderLink, withoutNulls } from './account.ts';
import { AuthRequestError, ensure, notImplemented } from './errors.ts';
import { assertionAnswer, type IdentityAssertion, readIdentityAssertion } from './identity-assertion.ts';
import type { JsonObject, RequestFields } from './request-fields.ts';
import type { AuthService, Operation } from './service.ts';
import { accountOfIdToken, startSession } from './sessions.ts';
import { newLocalId } from './sign-up.ts';

/**
 * Signs in. One address is one account, as in new projects: who signs in by a provider that vouches for the address of a
 * known account gets that account; where the provider does not vouch, `needConfirmation` asks for a known way in first.
 */
export const signInWithProvider: Operation = (service, fields) => {
  if (fields.text('pendingToken') !== undefined || fields.text('pendingIdToken') !== undefined) {
    throw notImplemented('pending tokens');
  }
  const assertion = readIdentityAssertion(fields);
  const answer = assertionAnswer(assertion);
  try {
    const found = accountFor(service, assertion, fields);
    if (found === 'unconfirmed') return withoutNulls({ ...answer, ...confirmation(service, assertion) });
    const { account, isNewUser, emailRecycled } = found;
    ensure(!account.disabled, 'USER_DISABLED');
    const linked = { ...account, providerLinks: linksWith(account, assertion) };
    return withoutNulls({
      ...answer,
      localId: account.localId,
      ...(account.email === assertion.email ? { emailVerified: account.emailVerified } : {}),
      ...(isNewUser ? { isNewUser } : {}),
      ...(emailRecycled ? { emailRecycled } : {}),
      ...startSession(service, linked, assertion.providerId),
    });
  } catch (error) {
    // The SDK asks for the credential beside the refusal, so that the app can offer to link it later.
    const withCredential = fields.flag('returnIdpCredential') === true;
    if (!withCredential || !(error instanceof AuthRequestError) || error.httpStatus !== 400) throw error;
    return withoutNulls({ ...answer, errorMessage: error.message });
  }
};

type Found = { account: Account; isNewUser?: boolean; emailRecycled?: boolean };

function accountFor(
  service: AuthService,
  assertion: IdentityAssertion,
  fields: RequestFields,
): Found | 'unconfirmed' {
  const { accounts } = service;
  const { providerId, rawId, email } = assertion;
  const holder = accounts.findByProvider(providerId, rawId);
  const withEmail = email === undefined ? null : accounts.findByEmail(email);
  const idToken = fields.text('idToken');
  if (idToken !== undefined) {
    const { account } = accountOfIdToken(service, idToken);
    ensure(holder === null, 'FEDERATED_USER_ID_ALREADY_LINKED');
    ensure(withEmail === null || withEmail.localId === account.localId, 'EMAIL_EXISTS');
    return { account: withAssertedEmail(account, assertion) };
  }
  if (holder !== null) return { account: holder };
  if (withEmail !== null) {
    return assertion.emailVerified ? recovered(service, withEmail, assertion) : 'unconfirmed';
  }
  // Proving again who one is makes no account. The SDK makes "user mismatch" of this refusal.
  ensure(fields.flag('autoCreate') !== false, 'EMAIL_NOT_FOUND');
  const { displayName = null, photoUrl = null, emailVerified } = assertion;
  const account = emptyAccount(newLocalId(service), service.clock());
  return {
    account: { ...account, displayName, photoUrl, email: email ?? null, emailVerified },
    isNewUser: true,
  };
}

/** An account without an address takes the provider's; an address that the provider vouches for is verified. */
function withAssertedEmail(account: Account, { email, emailVerified }: IdentityAssertion): Account {
  if (email === undefined) return account;
  if (account.email === null) return { ...account, email, emailVerified };
  return account.email === email && emailVerified ? { ...account, emailVerified } : account;
}

/**
 * The owner of the address signs in by a provider that vouches for it. If nobody had proved the address before, whoever made
 * the account may not have owned it: the other ways in are closed.
 */
function recovered(service: AuthService, account: Account, assertion: IdentityAssertion): Found {
  const { displayName = null, photoUrl = null, providerId, rawId } = assertion;
  const other = account.providerLinks.some((link) => link.providerId === providerId && link.rawId !== rawId);
  const profile = { displayName, photoUrl, emailVerified: true };
  const closed: Partial<Account> = account.emailVerified
    ? {}
    : {
        passwordHash: null,
        phoneNumber: null,
        emailLinkSignin: false,
        providerLinks: [],
        validSinceSeconds: service.nowSeconds(),
      };
  return { account: { ...account, ...profile, ...closed }, ...(other ? { emailRecycled: true } : {}) };
}

function confirmation({ accounts }: AuthService, { email = '' }: IdentityAssertion): JsonObject {
  const known = accounts.findByEmail(email);
  const verifiedProvider = known?.providerLinks.map(({ providerId }) => providerId);
  return { needConfirmation: true, localId: known?.localId, verifiedProvider };
}

/** One link a provider, the newest. */
function linksWith(account: Account, assertion: IdentityAssertion): ProviderLink[] {
  const { providerId, rawId, email, displayName, photoUrl, screenName } = assertion;
  const profile = withoutNulls({ email, displayName, photoUrl, screenName });
  const others = account.providerLinks.filter((link) => link.providerId !== providerId);
  return [...others, { ...profile, providerId, rawId }];
}
