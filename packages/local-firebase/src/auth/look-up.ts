/** `accounts:lookup` and `accounts:batchGet`: who an ID token is, and which accounts exist. */
import { type Account, accountOnTheWire } from './account.ts';
import { ensure } from './errors.ts';
import type { JsonObject } from './request-fields.ts';
import type { AuthService, Operation } from './service.ts';
import { accountOfIdToken } from './sessions.ts';

/** The account of an ID token; for administrators any accounts by id, e-mail, phone number or linked provider. */
export const lookUp: Operation = (service, fields, { privileged }) => {
  const kind = 'identitytoolkit#GetAccountInfoResponse';
  if (!privileged) {
    const idToken = fields.text('idToken');
    ensure(idToken, 'MISSING_ID_TOKEN');
    return { kind, users: [accountOnTheWire(accountOfIdToken(service, idToken).account)] };
  }
  const { accounts } = service;
  const found = [
    ...fields.texts('localId').map((localId) => accounts.find(localId)),
    ...fields.texts('email').map((email) => accounts.findByEmail(email.toLowerCase())),
    ...fields.texts('phoneNumber').map((phoneNumber) => accounts.findByPhoneNumber(phoneNumber)),
    ...fields
      .objects('federatedUserId')
      .map(({ providerId, rawId }) => accounts.findByProvider(String(providerId), String(rawId))),
  ].filter((account): account is Account => account !== null);
  const users = [...new Map(found.map((account) => [account.localId, account])).values()];
  // The Admin SDK takes an empty list for a malformed answer, an absent one for "no such user".
  return users.length === 0 ? { kind } : { kind, users: users.map(accountOnTheWire) };
};

/** One page of all accounts, in the order of their ids. */
export function listAccounts(
  { accounts }: AuthService,
  { maxResults, nextPageToken }: { maxResults: string | undefined; nextPageToken: string | undefined },
): JsonObject {
  const limit = Math.min(Math.max(Math.floor(Number(maxResults ?? 20)) || 20, 1), 1000);
  const rows = accounts.list(nextPageToken ?? '', limit + 1);
  const page = rows.slice(0, limit);
  const last = page.at(-1);
  return {
    kind: 'identitytoolkit#DownloadAccountResponse',
    ...(page.length === 0 ? {} : { users: page.map(accountOnTheWire) }),
    ...(rows.length > limit && last !== undefined ? { nextPageToken: last.localId } : {}),
  };
}
