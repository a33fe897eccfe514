/** Decides for the Firebase API who calls and what that caller may touch. */
import type { Context } from 'hono';
import { decodeIdToken } from '../auth/tokens.ts';
import type { PathAccess } from '../path-access.ts';
import type { SealedContent } from './content.ts';
import { StorageRequestError } from './errors.ts';
import type { ObjectFields, StoredObject } from './object.ts';

/** An object as it would be after the request: `request.resource` of security rules. */
export type IncomingObject = Pick<SealedContent, 'sizeBytes'> &
  Partial<Pick<SealedContent, 'md5' | 'crc32c'>> & { fields: ObjectFields };

/**
 * What a client wants to do, in the words of security rules. Bytes are a `create`, even over an old object (`current`);
 * metadata alone is an `update`. A list names the folder or prefix in `path`.
 */
export type ClientRequest = { bucket: string; path: string } & (
  | { method: 'get' | 'delete'; current: StoredObject | null }
  | { method: 'list' }
  | { method: 'create' | 'update'; current: StoredObject | null; incoming: IncomingObject }
);

/** Asked by every route of the Firebase API. */
export type ClientAccess = {
  /** @throws StorageRequestError 401 for a token that does not hold, 403 when the caller may not do it. */
  ensure(context: Context, request: ClientRequest): Promise<void>;
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
    async ensure(context, request) {
      if (isOwner(context)) return;
      const operation = request.method === 'get' || request.method === 'list' ? 'read' : 'write';
      // A list is a question about every name below the path.
      const path = request.method === 'list' ? `${request.path.replace(/\/+$/, '')}/**` : request.path;
      if (allows({ path, operation, uid: uidOf(context) })) return;
      throw new StorageRequestError(
        403,
        'forbidden',
        `Permission denied: no ${request.method} access to this path.`,
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
