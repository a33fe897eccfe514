/** `accounts:sendVerificationCode` and `accounts:signInWithPhoneNumber`: phone numbers proved by texted codes. */
import { emptyAccount } from './account.ts';
import { ensurePhoneNumber } from './credentials.ts';
import { ensure } from './errors.ts';
import type { RequestFields } from './request-fields.ts';
import type { AuthService, Operation } from './service.ts';
import { accountOfIdToken, startSession } from './sessions.ts';
import { newLocalId } from './sign-up.ts';

/** How long a texted code and a proof of a number hold. */
const codeLifetimeMs = 10 * 60 * 1000;
const proofLifetimeMs = 3600 * 1000;

/** Makes a code of six digits; it is logged and listed, as if texted. No reCAPTCHA is asked for. */
export const sendPhoneCode: Operation = ({ codes, clock, randomId, randomDigits, logger }, fields) => {
  const phoneNumber = fields.text('phoneNumber') ?? '';
  ensurePhoneNumber(phoneNumber);
  const sessionInfo = randomId(226);
  const code = randomDigits(6);
  codes.phone.save(sessionInfo, { sessionInfo, phoneNumber, code, createdAt: clock() });
  logger.info({ phoneNumber, code }, 'a text message would say: this is your code');
  return { sessionInfo };
};

/** Signs in by number, or adds the number to the account of an ID token. */
export const signInWithPhoneNumber: Operation = (service, fields) => {
  const { phoneNumber, secret } = provedNumber(service, fields);
  const idToken = fields.text('idToken');
  const own = idToken === undefined ? null : accountOfIdToken(service, idToken).account;
  const holder = service.accounts.findByPhoneNumber(phoneNumber);
  if (own !== null && holder !== null && holder.localId !== own.localId) {
    ensure(fields.text('temporaryProof') === undefined, 'PHONE_NUMBER_EXISTS');
    service.codes.phone.delete(secret);
    return proofOf(service, phoneNumber);
  }
  const known = own ?? holder;
  ensure(known === null || !known.disabled, 'USER_DISABLED');
  service.codes.phone.delete(secret);
  service.codes.phoneProofs.delete(secret);
  const account = known ?? emptyAccount(newLocalId(service), service.clock());
  return {
    isNewUser: known === null,
    phoneNumber,
    localId: account.localId,
    ...startSession(service, { ...account, phoneNumber }, 'phone'),
  };
};

/** The number that the request proves, and the secret that is thereby used. */
function provedNumber(
  { codes, clock }: AuthService,
  fields: RequestFields,
): { phoneNumber: string; secret: string } {
  const proofText = fields.text('temporaryProof');
  if (proofText !== undefined) {
    const phoneNumber = fields.text('phoneNumber');
    ensure(phoneNumber, 'MISSING_PHONE_NUMBER');
    const proof = codes.phoneProofs.find(proofText);
    const holds = proof?.phoneNumber === phoneNumber && clock() < proof.createdAt + proofLifetimeMs;
    ensure(holds, 'INVALID_TEMPORARY_PROOF');
    return { phoneNumber, secret: proofText };
  }
  const sessionInfo = fields.text('sessionInfo');
  ensure(sessionInfo, 'MISSING_SESSION_INFO');
  const code = fields.text('code');
  ensure(code, 'MISSING_CODE');
  const sent = codes.phone.find(sessionInfo);
  ensure(sent !== null, 'INVALID_SESSION_INFO');
  ensure(clock() < sent.createdAt + codeLifetimeMs, 'SESSION_EXPIRED');
  ensure(sent.code === code, 'INVALID_CODE');
  return { phoneNumber: sent.phoneNumber, secret: sessionInfo };
}

/** The number is another account's: not an error on the wire, but a proof with which to sign in there. */
function proofOf({ codes, clock, randomId }: AuthService, phoneNumber: string) {
  const temporaryProof = randomId(119);
  codes.phoneProofs.save(temporaryProof, { temporaryProof, phoneNumber, createdAt: clock() });
  return { temporaryProof, phoneNumber, temporaryProofExpiresIn: String(proofLifetimeMs / 1000) };
}
