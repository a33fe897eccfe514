/** `/{bucket}/{object}`: the plain links of Cloud Storage, for everybody where the object is public, else for signed URLs. */
import { type Context, Hono } from 'hono';
import { refusesObjectAcls } from './buckets.ts';
import { bucketCorsHeaders, bucketPreflight } from './cors.ts';
import { errorXml, invalid, notImplemented, StorageRequestError } from './errors.ts';
import { mediaResponse } from './media.ts';
import { isPublic } from './object.ts';
import { ensurePreconditions, xmlPreconditionsOf } from './preconditions.ts';
import type { StorageService } from './service.ts';
import type { XmlAccess } from './xml-access.ts';
import { addXmlUploads } from './xml-uploads.ts';

/** Builds the routes; they come last, because any path has this form. */
export function createPublicAccess(service: StorageService, access: XmlAccess): Hono {
  const app = new Hono();
  app.onError((error, context) => {
    if (!(error instanceof StorageRequestError)) throw error;
    return new Response(errorXml(error), {
      status: error.httpStatus,
      headers: { ...corsHeadersOf(service, context), 'content-type': 'application/xml; charset=UTF-8' },
    });
  });
  app.options('/:bucket/:name{.+}', (context) =>
    bucketPreflight(service.buckets.get(context.req.param('bucket')), context.req.raw.headers),
  );
  app.get('/:bucket/:name{.+}', async (context) => {
    const { bucket, name } = context.req.param();
    const settings = service.buckets.get(bucket);
    const headers = corsHeadersOf(service, context);
    const privileged = access.isPrivileged(context);
    const find = () => {
      const object = service.index.find(bucket, name);
      // Uniform access makes the ACLs of single objects void, those from before too.
      const open = object !== null && isPublic(object) && !refusesObjectAcls(settings);
      if (!open && !privileged) access.ensure(context, 'get');
      const found = service.find(bucket, name, context.req.query('generation'));
      ensurePreconditions(found, xmlPreconditionsOf(context.req.raw.headers), 'read');
      return found;
    };
    const overrides = privileged ? responseOverrides(context) : {};
    return mediaResponse(context.req.raw, find, service.content, headers, overrides);
  });
  addXmlUploads(app, service, access, (context) => corsHeadersOf(service, context));
  app.all('/:bucket/:name{.+}', (context) => {
    throw notImplemented(`${context.req.method} of the XML API`);
  });
  return app;
}

/** None where the bucket does not exist. */
function corsHeadersOf({ buckets }: StorageService, context: Context): Record<string, string> {
  const bucket = buckets.find(context.req.path.split('/')[1] ?? '');
  return bucket === null ? {} : bucketCorsHeaders(bucket, context.req.method, context.req.raw.headers);
}

/** `response-content-disposition` and `response-content-type`: the maker of a link says how the bytes are named and shown. */
function responseOverrides(context: Context): Record<string, string> {
  const overrides: Record<string, string> = {};
  for (const header of ['content-disposition', 'content-type']) {
    const value = context.req.query(`response-${header}`);
    if (value === undefined) continue;
    if (!/^[\t\x20-\x7e]*$/.test(value)) throw invalid(`Invalid argument: response-${header}`);
    overrides[header] = value;
  }
  return overrides;
}
