/** The Google Cloud Storage JSON API, which the Admin SDK speaks. As in the official emulator its callers may do everything. */
import { type Context, Hono } from 'hono';
import { createBucketApi } from './bucket-api.ts';
import { openCorsHeaders } from './cors.ts';
import { invalid, notImplemented, StorageRequestError } from './errors.ts';
import { matchesGlob } from './globs.ts';
import { mediaErrorResponse, mediaResponse } from './media.ts';
import { gcsResource } from './object.ts';
import { addAclRoutes, requestedAcl } from './object-acl.ts';
import { addCopyRoutes } from './object-copies.ts';
import { fieldsOf, parseJsonBody, patchedFields } from './object-fields.ts';
import { ensurePreconditions, type Preconditions, preconditionsOf } from './preconditions.ts';
import { originOf } from './request-body.ts';
import type { StorageService } from './service.ts';

/** Builds the routes; they are mounted at `/storage/v1`, `/download/storage/v1` and `/`, because the client uses all three. */
export function createJsonApi(service: StorageService): Hono {
  const app = new Hono();
  app.route('/', createBucketApi(service));
  app.get('/b/:bucket/o', (context) => listObjects(service, context, context.req.param('bucket')));
  addObjectRoutes(app, service);
  addCopyRoutes(app, service);
  addAclRoutes(app, service);
  app.all('/b/*', (context) => {
    throw notImplemented(`${context.req.method} ${context.req.path}`);
  });
  return app;
}

function addObjectRoutes(app: Hono, service: StorageService): void {
  const { index, buckets } = service;
  app.get('/b/:bucket/o/:name', async (context) => {
    const { bucket, name } = context.req.param();
    const query = context.req.query();
    const media = query['alt'] === 'media';
    try {
      const find = () => {
        const object = service.find(bucket, name, query['generation']);
        ensurePreconditions(object, preconditionsOf(query), 'read');
        return object;
      };
      if (media) return await mediaResponse(context.req.raw, find, service.content, openCorsHeaders);
      // Uniform access has put the object's own ACL out of force: it is not shown.
      const withAcl = query['projection'] === 'full' && !buckets.get(bucket).uniformAccess;
      return context.json(gcsResource(find(), originOf(context), { withAcl }));
    } catch (error) {
      if (media && error instanceof StorageRequestError) return mediaErrorResponse(error, openCorsHeaders);
      throw error;
    }
  });
  app.on(['PATCH', 'PUT'], '/b/:bucket/o/:name', async (context) => {
    const { bucket, name } = context.req.param();
    const query = context.req.query();
    const body = parseJsonBody(await context.req.text());
    const acl = requestedAcl(buckets.get(bucket), query['predefinedAcl'], body);
    const expected = { ...exactly(query['generation']), ...preconditionsOf(query) };
    service.find(bucket, name, query['generation']);
    const object = index.change(bucket, name, expected, (current) => ({
      // PUT sets all fields, PATCH those that it names.
      fields: context.req.method === 'PUT' ? fieldsOf(body) : patchedFields(current.fields, body),
      acl: acl ?? current.acl,
    }));
    return context.json(gcsResource(object, originOf(context)));
  });
  app.delete('/b/:bucket/o/:name', async (context) => {
    const { bucket, name } = context.req.param();
    const query = context.req.query();
    service.find(bucket, name, query['generation']);
    await service.remove(bucket, name, { ...preconditionsOf(query), ...exactly(query['generation']) });
    return context.body(null, 204);
  });
}

/** A request for one generation must not touch the next, which may come between the look and the write. */
function exactly(generation: string | undefined): Preconditions {
  return generation === undefined ? {} : { generationMatch: Number(generation) };
}

function listObjects({ index, buckets }: StorageService, context: Context, bucket: string): Response {
  const query = context.req.query();
  if (query['softDeleted'] !== undefined) throw notImplemented('lists with softDeleted');
  if (query['versions'] === 'true') throw notImplemented('object versioning');
  buckets.get(bucket);
  const { matchGlob } = query;
  const { objects, prefixes, nextPageToken } = index.list(bucket, {
    prefix: query['prefix'] ?? '',
    delimiter: query['delimiter'] ?? '',
    includeTrailingDelimiter: query['includeTrailingDelimiter'] === 'true',
    maxResults: maxResultsOf(query['maxResults']),
    pageToken: decodePageToken(query['pageToken']),
    startOffset: query['startOffset'],
    endOffset: query['endOffset'],
    matches: matchGlob === undefined ? undefined : matchesGlob(matchGlob),
  });
  const origin = originOf(context);
  return context.json({
    kind: 'storage#objects',
    ...(nextPageToken === undefined ? {} : { nextPageToken: encodePageToken(nextPageToken) }),
    ...(prefixes.length === 0 ? {} : { prefixes }),
    ...(objects.length === 0 ? {} : { items: objects.map((object) => gcsResource(object, origin)) }),
  });
}

/** How many entries a page has; 1000 when not said, and never more. @throws StorageRequestError 400 */
export function maxResultsOf(text: string | undefined): number {
  const number = Number(text ?? 1000);
  if (!Number.isInteger(number) || number < 1)
    throw invalid(`Invalid value for maxResults: ${JSON.stringify(text)}`);
  return Math.min(number, 1000);
}

/** Page tokens are the next name, wrapped so that nobody takes them for one. */
export function encodePageToken(name: string): string {
  return Buffer.from(name).toString('base64url');
}

/** The reverse of `encodePageToken`; undefined for the first page. */
export function decodePageToken(token: string | undefined): string | undefined {
  return token === undefined || token === '' ? undefined : Buffer.from(token, 'base64url').toString();
}
