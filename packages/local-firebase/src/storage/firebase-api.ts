/** `/v0/b/{bucket}/o`: the Firebase Storage API of the web SDK, where paths have owners and objects have download tokens. */
import { randomUUID } from 'node:crypto';
import { type Context, Hono } from 'hono';
import type { Checksums } from './checksums.ts';
import type { ClientAccess } from './client-access.ts';
import { bucketCorsHeaders, openCorsHeaders } from './cors.ts';
import { StorageRequestError } from './errors.ts';
import { addFirebaseUploads } from './firebase-uploads.ts';
import { decodePageToken, encodePageToken, maxResultsOf } from './json-api.ts';
import { mediaErrorResponse, mediaResponse } from './media.ts';
import { downloadTokens, firebaseResource, type StoredObject } from './object.ts';
import { parseJsonBody, patchedFields, withDownloadTokens, withoutTokens } from './object-fields.ts';
import type { StorageService } from './service.ts';

/** Builds the routes below `/v0`. */
export function createFirebaseApi(service: StorageService, access: ClientAccess): Hono {
  const { index, buckets } = service;
  const app = new Hono();

  app.get('/b/:bucket/o/:name', async (context) => {
    const { bucket, name } = context.req.param();
    if (context.req.query('alt') === 'media') return download(service, access, context, bucket, name);
    buckets.get(bucket);
    const current = index.find(bucket, name);
    if (!access.isAdminClient(context)) {
      await access.ensure(context, { method: 'get', bucket, path: name, current });
    }
    return context.json(firebaseResource(withToken(service, service.find(bucket, name))));
  });
  app.patch('/b/:bucket/o/:name', async (context) => {
    const { bucket, name } = context.req.param();
    buckets.get(bucket);
    const body = withoutTokens(parseJsonBody(await context.req.text()));
    const current = index.find(bucket, name);
    const fields = patchedFields(current?.fields ?? {}, body);
    const { sizeBytes = 0 } = current ?? {};
    const incoming = { ...hashesOf(current), sizeBytes, fields };
    await access.ensure(context, { method: 'update', bucket, path: name, current, incoming });
    const object = index.change(bucket, name, {}, ({ fields, acl }) => ({
      fields: patchedFields(fields, body),
      acl,
    }));
    return context.json(firebaseResource(object));
  });
  app.delete('/b/:bucket/o/:name', async (context) => {
    const { bucket, name } = context.req.param();
    buckets.get(bucket);
    const current = index.find(bucket, name);
    await access.ensure(context, { method: 'delete', bucket, path: name, current });
    service.find(bucket, name);
    await service.remove(bucket, name, {});
    return context.body(null, 204);
  });
  app.get('/b/:bucket/o', async (context) => {
    const bucket = context.req.param('bucket');
    const { prefix = '', delimiter = '', maxResults, pageToken } = context.req.query();
    buckets.get(bucket);
    await access.ensure(context, { method: 'list', bucket, path: prefix });
    const page = index.list(bucket, {
      prefix,
      delimiter,
      maxResults: maxResultsOf(maxResults),
      pageToken: decodePageToken(pageToken),
    });
    return context.json({
      prefixes: page.prefixes,
      items: page.objects.map(({ name }) => ({ name, bucket })),
      ...(page.nextPageToken === undefined ? {} : { nextPageToken: encodePageToken(page.nextPageToken) }),
    });
  });
  app.post('/b/:bucket/o/:name', (context) => changeTokens(service, access, context));
  addFirebaseUploads(app, service, access);
  return app;
}

/** A token opens the bytes to anybody; without one the path decides. Which pages may read them, the bucket says. */
async function download(
  service: StorageService,
  access: ClientAccess,
  context: Context,
  bucket: string,
  name: string,
): Promise<Response> {
  const headers = bucketCorsHeaders(service.buckets.get(bucket), context.req.method, context.req.raw.headers);
  try {
    const token = context.req.query('token');
    const known = service.index.find(bucket, name);
    const opened = token !== undefined && known !== null && downloadTokens(known).includes(token);
    if (!opened) await access.ensure(context, { method: 'get', bucket, path: name, current: known });
    const find = () => service.find(bucket, name);
    return await mediaResponse(context.req.raw, find, service.content, headers);
  } catch (error) {
    if (error instanceof StorageRequestError) return mediaErrorResponse(error, headers);
    throw error;
  }
}

function hashesOf(object: StoredObject | null): Partial<Checksums> {
  return object === null ? {} : { md5: object.md5, crc32c: object.crc32c };
}

/** An object that the Admin SDK uploaded has no token until somebody asks for its metadata here. */
function withToken({ index }: StorageService, object: StoredObject): StoredObject {
  if (downloadTokens(object).length > 0) return object;
  return index.change(object.bucket, object.name, {}, ({ fields, acl }) => ({
    fields: withDownloadTokens(fields, [randomUUID()]),
    acl,
  }));
}

/** `POST …/{name}?create_token=true` and `?delete_token={token}`, for administrators. */
function changeTokens({ index, buckets }: StorageService, access: ClientAccess, context: Context): Response {
  const { bucket = '', name = '' } = context.req.param();
  const { create_token: create, delete_token: revoked } = context.req.query();
  access.ensureAdministrator(context);
  buckets.get(bucket);
  const object = index.change(bucket, name, {}, (current) => {
    const tokens = downloadTokens(current).filter((token) => token !== revoked);
    if (create === 'true' || tokens.length === 0) tokens.push(randomUUID());
    return { fields: withDownloadTokens(current.fields, tokens), acl: current.acl };
  });
  return context.json(firebaseResource(object), 200, openCorsHeaders);
}
