/** Decides for the Firebase API who calls and what that caller may touch. */
import type { Context } from 'hono';
import { decodeIdToken } from '../auth/tokens.ts';
import type { PathAccess } from '../path-access.ts';
import { StorageRequestError } from './errors.ts';

/** Asked by every route of the Firebase API. */
export type ClientAccess = {
  /** @throws StorageRequestError 401 for a token that does not hold, 403 when the path is not the caller's. */
  ensure(context: Context, operation: 'read' | 'write', path: string): void;
  /** @throws StorageRequestError 403 */
  ensureAdministrator(context: Context): void;
  /** firebase-admin's getDownloadURL() sends an emulator no credential: only its client header tells it from an app. */
  isAdminClient(context: Context): boolean;
};

/** `clock` gives milliseconds since 1970. */
export function createClientAccess(
  allows: PathAccess,
  { projectId, clock }: { projectId: string; clock: () => number },
): ClientAccess {
  const isOwner = (context: Context) =>
    /^(bearer|firebase) owner$/i.test(context.req.header('authorization') ?? '');

  function uidOf(context: Context): string | null {
    const authorization = context.req.header('authorization');
    if (authorization === undefined) return null;
    const token = /^(?:firebase|bearer) (.+)$/i.exec(authorization)?.[1] ?? '';
    const claims = decodeIdToken(token, { projectId, nowSeconds: Math.floor(clock() / 1000) });
    if (claims === null) {
      throw new StorageRequestError(
        401,
        'authError',
        'The ID token is malformed, expired, or of another project.',
      );
    }
    return claims.uid;
  }
  return {
    ensure(context, operation, path) {
      if (isOwner(context) || allows({ path, operation, uid: uidOf(context) })) return;
      throw new StorageRequestError(
        403,
        'forbidden',
        `Permission denied: no ${operation} access to this path.`,
      );
    },
    ensureAdministrator(context) {
      if (!isOwner(context))
        throw new StorageRequestError(403, 'forbidden', 'Permission denied: administrators only.');
    },
    isAdminClient: (context) =>
      context.req.header('authorization') === undefined &&
      /\bgccl\//.test(context.req.header('x-goog-api-client') ?? ''),
  };
}
