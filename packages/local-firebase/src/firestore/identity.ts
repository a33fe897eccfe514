/** Who calls: the Admin SDK, a signed-in user, or nobody, as the Authorization header says it. */
import { StatusError } from './status.ts';

/** The Admin SDK bypasses every rule; a client has a uid or none. */
export type Caller = { kind: 'admin' } | { kind: 'client'; uid: string | null };

/** What the Admin SDK sends to an emulator. */
const OWNER_TOKEN = 'owner';

/**
 * Reads the header as Firebase's emulator does: the token is decoded, not verified, because whoever reaches a local port
 * may do anything anyway. Never put this server on an open network.
 *
 * @throws StatusError UNAUTHENTICATED when there is a token and it is not one.
 */
export function callerOf(authorization: string | undefined): Caller {
  if (authorization === undefined || authorization === '') return { kind: 'client', uid: null };
  const [scheme, token] = authorization.split(/\s+/, 2);
  if (scheme?.toLowerCase() !== 'bearer' || !token) {
    throw new StatusError('UNAUTHENTICATED', 'The Authorization header is not "Bearer {token}".');
  }
  if (token === OWNER_TOKEN) return { kind: 'admin' };
  const uid = uidOf(token);
  if (uid === undefined) {
    throw new StatusError(
      'UNAUTHENTICATED',
      'The bearer token is neither "owner" nor an ID token with a user.',
    );
  }
  return { kind: 'client', uid };
}

function uidOf(token: string): string | undefined {
  const payload = token.split('.')[1];
  if (payload === undefined) return undefined;
  try {
    const claims = JSON.parse(Buffer.from(payload, 'base64url').toString()) as Record<string, unknown> | null;
    const uid = claims?.['user_id'] ?? claims?.['sub'];
    return typeof uid === 'string' && uid !== '' ? uid : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
