/** `accounts:delete` and `accounts:batchDelete`. */
import { ensure } from './errors.ts';
import type { Operation } from './service.ts';
import { accountOfIdToken } from './sessions.ts';

/** Removes the account of an ID token, or, for administrators, the named one. */
export const deleteAccount: Operation = (service, fields, { privileged }) => {
  if (privileged) {
    const localId = fields.text('localId');
    ensure(localId, 'MISSING_LOCAL_ID');
    ensure(service.accounts.find(localId) !== null, 'USER_NOT_FOUND');
    service.accounts.delete(localId);
  } else {
    const idToken = fields.text('idToken');
    ensure(idToken, 'MISSING_ID_TOKEN');
    service.accounts.delete(accountOfIdToken(service, idToken).account.localId);
  }
  return { kind: 'identitytoolkit#DeleteAccountResponse' };
};

/** Removes up to 1000 accounts; those that do not exist are passed over. Without `force` only disabled ones go. */
export const deleteAccounts: Operation = ({ accounts }, fields) => {
  const localIds = fields.texts('localIds');
  const force = fields.flag('force') ?? false;
  ensure(localIds.length > 0 && localIds.length <= 1000, 'LOCAL_ID_LIST_EXCEEDS_LIMIT');
  const errors = localIds.flatMap((localId, index) => {
    const account = accounts.find(localId);
    if (account === null) return [];
    if (!account.disabled && !force) {
      return [{ index, localId, message: 'NOT_DISABLED : Disable the account before batch deletion.' }];
    }
    accounts.delete(localId);
    return [];
  });
  return errors.length === 0 ? {} : { errors };
};
