/** The Google Cloud Storage JSON API, which the Admin SDK speaks. As in the official emulator its callers may do everything. */
import { type Context, Hono } from 'hono';
import {
  type Bucket,
  type BucketSettings,
  bucketResource,
  type CorsRule,
  ensureAclAllowed,
  predefinedAcl,
} from './buckets.ts';
import { openCorsHeaders } from './cors.ts';
import { invalid, notImplemented, StorageRequestError } from './errors.ts';
import { aclOf } from './json-uploads.ts';
import { mediaErrorResponse, mediaResponse } from './media.ts';
import { ensureObjectName } from './names.ts';
import { type AclEntry, aclResource, gcsResource, type StoredObject } from './object.ts';
import { fieldsOf, type JsonBody, parseJsonBody, patchedFields } from './object-fields.ts';
import { ensurePreconditions, type Preconditions, preconditionsOf } from './preconditions.ts';
import { originOf } from './request-body.ts';
import type { StorageService } from './service.ts';

/** Builds the routes; they are mounted at `/storage/v1`, `/download/storage/v1` and `/`, because the client uses all three. */
export function createJsonApi(service: StorageService): Hono {
  const { index, buckets } = service;
  const app = new Hono();
  app.get('/b/:bucket', (context) =>
    context.json(bucketResource(buckets.get(context.req.param('bucket')), originOf(context))),
  );
  app.patch('/b/:bucket', async (context) => {
    const settings = bucketSettings(parseJsonBody(await context.req.text()));
    return context.json(
      bucketResource(buckets.configure(context.req.param('bucket'), settings), originOf(context)),
    );
  });
  app.get('/b/:bucket/iam/testPermissions', (context) => {
    buckets.get(context.req.param('bucket'));
    // Callers of this API own the bucket, so they have whatever they ask for.
    const permissions = context.req.queries('permissions') ?? [];
    return context.json({ kind: 'storage#testIamPermissionsResponse', permissions });
  });
  app.get('/b/:bucket/o', (context) => listObjects(service, context, context.req.param('bucket')));
  app.get('/b/:bucket/o/:name', async (context) => {
    const { bucket, name } = context.req.param();
    const query = context.req.query();
    const media = query['alt'] === 'media';
    try {
      const find = () => {
        const object = service.find(bucket, name, query['generation']);
        ensurePreconditions(object, preconditionsOf(query));
        return object;
      };
      if (media) return await mediaResponse(context.req.raw, find, service.content, openCorsHeaders);
      const withAcl = query['projection'] === 'full';
      return context.json(gcsResource(find(), originOf(context), { withAcl }));
    } catch (error) {
      if (media && error instanceof StorageRequestError) return mediaErrorResponse(error, openCorsHeaders);
      throw error;
    }
  });
  app.patch('/b/:bucket/o/:name', async (context) => {
    const { bucket, name } = context.req.param();
    const body = parseJsonBody(await context.req.text());
    const acl = requestedAcl(buckets.get(bucket), context.req.query('predefinedAcl'), body);
    const object = index.change(bucket, name, preconditionsOf(context.req.query()), (current) => ({
      fields: patchedFields(current.fields, body),
      acl: acl ?? current.acl,
    }));
    return context.json(gcsResource(object, originOf(context)));
  });
  app.delete('/b/:bucket/o/:name', async (context) => {
    const { bucket, name } = context.req.param();
    const query = context.req.query();
    service.find(bucket, name, query['generation']);
    const { generation } = query;
    const exactly: Preconditions = generation === undefined ? {} : { generationMatch: Number(generation) };
    await service.remove(bucket, name, { ...preconditionsOf(query), ...exactly });
    return context.body(null, 204);
  });
  app.post('/b/:bucket/o/:name/:copy{rewriteTo|copyTo}/b/:toBucket/o/:toName', (context) =>
    copyObject(service, context, context.req.param()),
  );
  addAclRoutes(app, service);
  app.all('/b/*', (context) => {
    throw notImplemented(`${context.req.method} ${context.req.path}`);
  });
  return app;
}

function addAclRoutes(app: Hono, { index, buckets, find }: StorageService): void {
  function changeAcl(context: Context, change: (acl: AclEntry[]) => AclEntry[]): StoredObject {
    const { bucket = '', name = '' } = context.req.param();
    return index.change(bucket, name, {}, ({ fields, acl }) => ({ fields, acl: change(acl) }));
  }
  app.get('/b/:bucket/o/:name/acl', (context) => {
    const object = find(context.req.param('bucket'), context.req.param('name'));
    const items = object.acl.map((entry) => aclResource(object, entry));
    return context.json({ kind: 'storage#objectAccessControls', items });
  });
  app.post('/b/:bucket/o/:name/acl', async (context) => {
    const added = aclOf(parseJsonBody(await context.req.text()));
    const entry = added?.[0];
    if (entry === undefined) throw invalid('Expected an ACL entry with entity and role.');
    ensureAclAllowed(buckets.get(context.req.param('bucket')), [entry]);
    const object = changeAcl(context, (acl) => [
      ...acl.filter(({ entity }) => entity !== entry.entity),
      entry,
    ]);
    return context.json(aclResource(object, entry));
  });
  app.delete('/b/:bucket/o/:name/acl/:entity', (context) => {
    ensureAclAllowed(buckets.get(context.req.param('bucket')), []);
    changeAcl(context, (acl) => acl.filter(({ entity }) => entity !== context.req.param('entity')));
    return context.body(null, 204);
  });
}

function listObjects({ index, buckets }: StorageService, context: Context, bucket: string): Response {
  const query = context.req.query();
  for (const unknown of ['matchGlob', 'softDeleted']) {
    if (query[unknown] !== undefined) throw notImplemented(`lists with ${unknown}`);
  }
  if (query['versions'] === 'true') throw notImplemented('object versioning');
  buckets.get(bucket);
  const { objects, prefixes, nextPageToken } = index.list(bucket, {
    prefix: query['prefix'] ?? '',
    delimiter: query['delimiter'] ?? '',
    maxResults: maxResultsOf(query['maxResults']),
    pageToken: decodePageToken(query['pageToken']),
    startOffset: query['startOffset'],
    endOffset: query['endOffset'],
  });
  const origin = originOf(context);
  return context.json({
    kind: 'storage#objects',
    ...(nextPageToken === undefined ? {} : { nextPageToken: encodePageToken(nextPageToken) }),
    ...(prefixes.length === 0 ? {} : { prefixes }),
    ...(objects.length === 0 ? {} : { items: objects.map((object) => gcsResource(object, origin)) }),
  });
}

/** A page has at most 1000 objects, as in the cloud. @throws StorageRequestError 400 */
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

async function copyObject(
  service: StorageService,
  context: Context,
  { bucket = '', name = '', toBucket = '', toName = '', copy = '' }: Record<string, string>,
): Promise<Response> {
  const query = context.req.query();
  const body = parseJsonBody(await context.req.text());
  const source = service.find(bucket, name, query['sourceGeneration']);
  ensurePreconditions(source, preconditionsOf(query, 'Source'));
  ensureObjectName(toName);
  const { destinationPredefinedAcl } = query;
  const object = await service.copy(source, {
    bucket: toBucket,
    name: toName,
    // A body that names any metadata replaces all of the source's, as in the cloud.
    fields: Object.keys(body).length === 0 ? source.fields : { ...contentTypeOf(source), ...fieldsOf(body) },
    acl: destinationPredefinedAcl === undefined ? null : predefinedAcl(destinationPredefinedAcl),
    expected: preconditionsOf(query),
    checksums: {},
  });
  const resource = gcsResource(object, originOf(context));
  if (copy === 'copyTo') return context.json(resource);
  const size = String(object.sizeBytes);
  return context.json({
    kind: 'storage#rewriteResponse',
    totalBytesRewritten: size,
    objectSize: size,
    done: true,
    resource,
  });
}

function contentTypeOf({ fields }: StoredObject): { contentType?: string } {
  return fields.contentType === undefined ? {} : { contentType: fields.contentType };
}

/** What a PATCH makes of the ACL; null when it says nothing of it. `acl: null` or `[]` takes everybody's access. */
function requestedAcl(bucket: Bucket, predefined: string | undefined, body: JsonBody): AclEntry[] | null {
  const requested =
    predefined !== undefined ? predefinedAcl(predefined) : body['acl'] === null ? [] : aclOf(body['acl']);
  if (requested !== null) ensureAclAllowed(bucket, requested);
  return requested;
}

/** The settings of a bucket that a PATCH names; others are not kept here. */
function bucketSettings(body: JsonBody): BucketSettings {
  const iam = (body['iamConfiguration'] ?? {}) as {
    uniformBucketLevelAccess?: { enabled?: boolean };
    publicAccessPrevention?: string;
  };
  const uniform = iam.uniformBucketLevelAccess?.enabled;
  const prevention = iam.publicAccessPrevention;
  const settings: BucketSettings = {};
  if (uniform !== undefined) settings.accessControl = uniform ? 'uniform' : 'object-acls';
  if (prevention !== undefined) {
    settings.accessControl = prevention === 'enforced' ? 'public-access-prevented' : 'object-acls';
  }
  if (body['cors'] === null) settings.cors = [];
  else if (body['cors'] !== undefined) settings.cors = corsRules(body['cors']);
  return settings;
}

function corsRules(value: unknown): CorsRule[] {
  const isTexts = (texts: unknown): texts is string[] =>
    Array.isArray(texts) && texts.every((text) => typeof text === 'string');
  if (!Array.isArray(value)) throw invalid('Invalid value for field cors: expected a list.');
  return (value as Record<string, unknown>[]).map(({ origin, method, responseHeader, maxAgeSeconds }) => {
    if (!isTexts(origin) || !isTexts(method))
      throw invalid('A CORS rule needs lists of origins and methods.');
    return {
      origin,
      method,
      ...(isTexts(responseHeader) ? { responseHeader } : {}),
      ...(typeof maxAgeSeconds === 'number' ? { maxAgeSeconds } : {}),
    };
  });
}
