/** What the operations of Auth share: the store, the project, time and chance. */
import { randomBytes } from 'node:crypto';
import type { AccountStore } from './accounts.ts';
import type { JsonObject, RequestFields } from './request-fields.ts';

/** Handed to every operation. */
export type AuthService = {
  projectId: string;
  accounts: AccountStore;
  /** Milliseconds since 1970. */
  clock(): number;
  nowSeconds(): number;
  /** Letters and digits, from `random`. */
  randomId(length: number): string;
};

/** One call of the API: a JSON body in, a JSON body out, AuthRequestError when refused. */
export type Operation = (
  service: AuthService,
  fields: RequestFields,
  caller: Caller,
) => JsonObject | Promise<JsonObject>;

/** Who calls. A privileged caller is the Admin SDK, which names accounts by id; others show an ID token. */
export type Caller = { privileged: boolean };

/** Builds the shared part of all operations. */
export function createAuthService(
  accounts: AccountStore,
  {
    projectId,
    clock = Date.now,
    random = randomBytes,
  }: { projectId: string; clock?: () => number; random?: (sizeBytes: number) => Uint8Array },
): AuthService {
  return {
    projectId,
    accounts,
    clock,
    nowSeconds: () => Math.floor(clock() / 1000),
    randomId(length) {
      let id = '';
      while (id.length < length) {
        for (const byte of random(length)) {
          // 248 = 4 × 62: the bytes above would make the first letters likelier.
          if (byte < 248 && id.length < length) id += alphabet[byte % alphabet.length];
        }
      }
      return id;
    },
  };
}

const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789';
