/** Who may use a plain link beyond what is public: the owner, and whoever has a signed URL. */
import type { Context } from 'hono';
import { StorageRequestError } from './errors.ts';
import type { UrlVerifier } from './signed-urls.ts';

/** Asked by every route of the XML API. */
export type XmlAccess = {
  /**
   * True for the owner and for a valid signature, false for everybody else.
   *
   * @throws StorageRequestError when there is a signature that does not hold.
   */
  isPrivileged(context: Context): boolean;
  /** @throws StorageRequestError 403, as of anonymous callers in the cloud. */
  ensure(context: Context, permission: 'get' | 'create' | 'delete'): void;
};

/** Builds the check. The Admin SDK's `Bearer owner` is the owner, as with the other services here. */
export function createXmlAccess(verifier: UrlVerifier): XmlAccess {
  function isPrivileged(context: Context): boolean {
    const { method, url, headers } = context.req.raw;
    return (
      /^bearer owner$/i.test(headers.get('authorization') ?? '') || verifier.verify({ method, url, headers })
    );
  }
  return {
    isPrivileged,
    ensure(context, permission) {
      if (isPrivileged(context)) return;
      // An outsider learns the same of a private object and of none at all.
      const name = `storage.objects.${permission}`;
      throw new StorageRequestError(
        403,
        'forbidden',
        'Access denied.',
        `Anonymous caller does not have ${name} access to the Google Cloud Storage object. Permission '${name}' denied on resource (or it may not exist).`,
      );
    },
  };
}
