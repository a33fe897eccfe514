/** `accounts:lookup`, `accounts:batchGet` and `accounts:query`: who an ID token is, and which accounts exist. */
import { type Account, accountOnTheWire } from './account.ts';
import { ensure, notImplemented } from './errors.ts';
import { exportedHash } from './passwords.ts';
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
    ...(page.length === 0 ? {} : { users: page.map(exportedAccount) }),
    ...(rows.length > limit && last !== undefined ? { nextPageToken: last.localId } : {}),
  };
}

/** Only a list carries hashes, so that users can be moved to another project. */
function exportedAccount(account: Account): JsonObject {
  const hash = account.passwordHash === null ? null : exportedHash(account.passwordHash);
  return { ...accountOnTheWire(account), ...hash };
}

/** Accounts by e-mail, phone number or id, or all of them, in an order and with an offset. At most 500. */
export const queryAccounts: Operation = ({ accounts }, fields) => {
  const { sort, order } = queryOrder(fields.text('sortBy'), fields.text('order'));
  const expressions = fields.objects('expression');
  ensure(expressions.length <= 1, 'INVALID_ARGUMENT : One expression at most.');
  const [expression] = expressions;
  const found =
    expression === undefined ? accounts.list('', Number.MAX_SAFE_INTEGER) : oneBy(accounts, expression);
  const recordsCount = String(found.length);
  if (fields.flag('returnUserInfo') === false) return { recordsCount };
  const offset = fields.integer('offset') ?? 0;
  const limit = Math.min(fields.integer('limit') ?? 500, 500);
  const sorted = found.sort((one, other) => order * compare(sort(one), sort(other)));
  return { recordsCount, userInfo: sorted.slice(offset, offset + limit).map(accountOnTheWire) };
};

function oneBy(accounts: AuthService['accounts'], expression: JsonObject): Account[] {
  const { email, phoneNumber, userId } = expression;
  const finders: (Account | null)[] = [];
  if (typeof email === 'string') finders.push(accounts.findByEmail(email.toLowerCase()));
  if (typeof phoneNumber === 'string') finders.push(accounts.findByPhoneNumber(phoneNumber));
  if (typeof userId === 'string') finders.push(accounts.find(userId));
  ensure(finders.length === 1, 'INVALID_ARGUMENT : Name one of email, phoneNumber and userId.');
  return finders.filter((account): account is Account => account !== null);
}

const sortKeys: Record<string, (account: Account) => string | number> = {
  USER_ID: ({ localId }) => localId,
  NAME: ({ displayName }) => displayName ?? '',
  CREATED_AT: ({ createdAt }) => createdAt,
  LAST_LOGIN_AT: ({ lastLoginAt }) => lastLoginAt ?? 0,
  USER_EMAIL: ({ email }) => email ?? '',
};

function queryOrder(sortBy = 'USER_ID', order = 'ASC') {
  const sort = sortKeys[sortBy === 'SORT_BY_FIELD_UNSPECIFIED' ? 'USER_ID' : sortBy];
  if (sort === undefined) throw notImplemented(`sorting accounts by ${sortBy}`);
  return { sort, order: order === 'DESC' ? -1 : 1 };
}

function compare(one: string | number, other: string | number): number {
  return one < other ? -1 : one > other ? 1 : 0;
}
