/** `/{bucket}/{object}`: the plain links of Cloud Storage, for everybody where the object is public. */
import { type Context, Hono } from 'hono';
import { bucketCorsHeaders, bucketPreflight } from './cors.ts';
import { errorXml, notImplemented, StorageRequestError } from './errors.ts';
import { mediaResponse } from './media.ts';
import { isPublic } from './object.ts';
import type { StorageService } from './service.ts';

/** Builds the routes; they come last, because any path has this form. */
export function createPublicAccess(service: StorageService): Hono {
  const app = new Hono();
  app.options('/:bucket/:name{.+}', (context) =>
    bucketPreflight(service.buckets.get(context.req.param('bucket')), context.req.raw.headers),
  );
  app.get('/:bucket/:name{.+}', async (context) => {
    const { bucket, name } = context.req.param();
    const settings = service.buckets.get(bucket);
    const headers = bucketCorsHeaders(settings, context.req.method, context.req.raw.headers);
    try {
      const find = () => {
        const object = service.index.find(bucket, name);
        // Uniform access makes the ACLs of single objects void, those from before too.
        const open = object !== null && isPublic(object) && settings.accessControl === 'object-acls';
        if (!open) ensureOwner(context);
        return service.find(bucket, name);
      };
      return await mediaResponse(context.req.raw, find, service.content, headers);
    } catch (error) {
      if (!(error instanceof StorageRequestError)) throw error;
      return xmlError(error, headers);
    }
  });
  app.all('/:bucket/:name{.+}', (context) =>
    xmlError(notImplemented(`${context.req.method} of the XML API`), {}),
  );
  return app;
}

/** An outsider learns the same of a private object and of none at all. */
function ensureOwner(context: Context): void {
  if (/^bearer owner$/i.test(context.req.header('authorization') ?? '')) return;
  const { Signature: v2, 'X-Goog-Signature': v4 } = context.req.query();
  if (v2 !== undefined || v4 !== undefined) throw notImplemented('signed URLs');
  throw new StorageRequestError(
    403,
    'forbidden',
    "Anonymous caller does not have storage.objects.get access to the Google Cloud Storage object. Permission 'storage.objects.get' denied on resource (or it may not exist).",
  );
}

function xmlError(error: StorageRequestError, headers: Record<string, string>): Response {
  return new Response(errorXml(error), {
    status: error.httpStatus,
    headers: { ...headers, 'content-type': 'application/xml; charset=UTF-8' },
  });
}
