/** `accounts:createAuthUri`: by which methods an address can sign in (`fetchSignInMethodsForEmail`). */
import { canonicalEmail } from './credentials.ts';
import { ensure, notImplemented } from './errors.ts';
import { hidesWhichEmailsExist } from './project-config.ts';
import type { Operation } from './service.ts';

/** With e-mail privacy the answer says nothing. */
export const createAuthUri: Operation = ({ accounts, randomId }, fields) => {
  if (fields.text('providerId') !== undefined) throw notImplemented('sign-in addresses of providers');
  const identifier = fields.text('identifier');
  ensure(identifier, 'MISSING_IDENTIFIER');
  const continueUri = fields.text('continueUri');
  ensure(continueUri, 'MISSING_CONTINUE_URI');
  ensure(URL.canParse(continueUri), 'INVALID_CONTINUE_URI');
  ensure(/^[^\s@]+@[^\s@]+$/.test(identifier), 'INVALID_IDENTIFIER');
  const answer = {
    kind: 'identitytoolkit#CreateAuthUriResponse',
    sessionId: fields.text('sessionId') ?? randomId(27),
  };
  if (hidesWhichEmailsExist(accounts)) return answer;
  const account = accounts.findByEmail(canonicalEmail(identifier));
  const byPassword = account === null || account.passwordHash === null ? [] : ['password'];
  const byLink = account?.emailLinkSignin === true ? ['emailLink'] : [];
  const providers = account?.providerLinks.map(({ providerId }) => providerId) ?? [];
  return {
    ...answer,
    registered: account !== null,
    allProviders: [...(byPassword.length + byLink.length === 0 ? [] : ['password']), ...providers],
    signinMethods: [...byPassword, ...byLink, ...providers],
  };
};
