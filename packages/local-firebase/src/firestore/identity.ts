/** Who calls: the Admin SDK, a signed-in user, or nobody, as the Authorization header says it. */
import { decodeIdToken } from '../auth/tokens.ts';
import type { Identity } from '../rules/authentication.ts';
import { StatusError } from './status.ts';
import type { Clock } from './timestamp.ts';

/** The Admin SDK bypasses every rule; a client is a user or nobody. */
export type Caller = { kind: 'admin' } | { kind: 'client'; identity: Identity | null };

/** What the Admin SDK sends to an emulator. */
const OWNER_TOKEN = 'owner';

/**
 * Reads the header.
 *
 * @throws StatusError UNAUTHENTICATED when there is a token and it is not one, has expired, or is of another project.
 */
export type CallerReader = (authorization: string | undefined) => Caller;

/**
 * Tokens are decoded and not verified, because whoever reaches a local port may do anything anyway: never put this
 * server on an open network.
 */
export function createCallerReader({ projectId, clock }: { projectId: string; clock: Clock }): CallerReader {
  return (authorization) => {
    if (authorization === undefined || authorization === '') return { kind: 'client', identity: null };
    const [scheme, token] = authorization.split(/\s+/, 2);
    if (scheme?.toLowerCase() !== 'bearer' || !token) {
      throw new StatusError('UNAUTHENTICATED', 'The Authorization header is not "Bearer {token}".');
    }
    if (token === OWNER_TOKEN) return { kind: 'admin' };
    const claims = decodeIdToken(token, { projectId, nowSeconds: Math.floor(clock() / 1000) });
    if (claims !== null) {
      return { kind: 'client', identity: { uid: claims.uid, claims: claims.payload } };
    }
    throw new StatusError(
      'UNAUTHENTICATED',
      `The bearer token is neither "owner" nor an ID token of project "${projectId}" that still holds.`,
    );
  };
}
