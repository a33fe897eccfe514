/** What the operations of Auth share: the store, the project, time and chance. */
import { randomBytes } from 'node:crypto';
import { type Logger, silentLogger } from '../logger.ts';
import type { AccountStore } from './accounts.ts';
import type { CodeStore } from './codes.ts';
import type { JsonObject, RequestFields } from './request-fields.ts';

/** Handed to every operation. */
export type AuthService = {
  projectId: string;
  accounts: AccountStore;
  codes: CodeStore;
  /** Tells the person at the console what a mail or a text message would have said. */
  logger: Logger;
  /** Milliseconds since 1970. */
  clock(): number;
  nowSeconds(): number;
  /** Letters and digits, from `random`. */
  randomId(length: number): string;
  /** Decimal digits, from `random`. */
  randomDigits(length: number): string;
};

/** One call of the API: a JSON body in, a JSON body out, AuthRequestError when refused. */
export type Operation = (
  service: AuthService,
  fields: RequestFields,
  caller: Caller,
) => JsonObject | Promise<JsonObject>;

/** Who calls. A privileged caller is the Admin SDK, which names accounts by id; others show an ID token. */
export type Caller = {
  privileged: boolean;
  /** `http://host:port` as the caller wrote it, so that links lead back the way the request came. */
  origin: string;
};

/** Builds the shared part of all operations. */
export function createAuthService(
  accounts: AccountStore,
  codes: CodeStore,
  {
    projectId,
    logger = silentLogger,
    clock = Date.now,
    random = randomBytes,
  }: {
    projectId: string;
    logger?: Logger;
    clock?: () => number;
    random?: (sizeBytes: number) => Uint8Array;
  },
): AuthService {
  function randomText(characters: string, length: number): string {
    // Bytes above the last whole multiple would make the first characters likelier.
    const limit = 256 - (256 % characters.length);
    let text = '';
    while (text.length < length) {
      for (const byte of random(length)) {
        if (byte < limit && text.length < length) text += characters[byte % characters.length];
      }
    }
    return text;
  }
  return {
    projectId,
    accounts,
    codes,
    logger,
    clock,
    nowSeconds: () => Math.floor(clock() / 1000),
    randomId: (length) => randomText(alphabet, length),
    randomDigits: (length) => randomText('0123456789', length),
  };
}

const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789';
