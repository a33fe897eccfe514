/** `/b` and `/b/{bucket}` of the JSON API: what a bucket is set to, for callers who own it. */
import { type Context, Hono } from 'hono';
import { type Bucket, type BucketChanges, bucketResource, type CorsRule, predefinedAcl } from './buckets.ts';
import { invalid, notImplemented, preconditionFailed } from './errors.ts';
import type { AclEntry } from './object.ts';
import { aclEntryOf, aclOf } from './object-acl.ts';
import { type JsonBody, parseJsonBody } from './object-fields.ts';
import { originOf } from './request-body.ts';
import type { StorageService } from './service.ts';

/** Builds the routes. Buckets are made by the options alone. */
export function createBucketApi({ buckets }: StorageService): Hono {
  const app = new Hono();
  const answer = (context: Context, bucket: Bucket) =>
    context.json(bucketResource(bucket, originOf(context)));
  app.get('/b', (context) => {
    const { prefix = '' } = context.req.query();
    const found = buckets.all().filter(({ name }) => name.startsWith(prefix));
    const items = found.map((bucket) => bucketResource(bucket, originOf(context)));
    return context.json({ kind: 'storage#buckets', items });
  });
  app.get('/b/:bucket', (context) => answer(context, buckets.get(context.req.param('bucket'))));
  app.on(['PATCH', 'PUT'], '/b/:bucket', async (context) => {
    const bucket = buckets.get(context.req.param('bucket'));
    const expected = context.req.query('ifMetagenerationMatch');
    if (expected !== undefined && Number(expected) !== bucket.metageneration) throw preconditionFailed();
    const body = parseJsonBody(await context.req.text());
    return answer(context, buckets.change(bucket.name, bucketChanges(body, context.req.query())));
  });
  app.get('/b/:bucket/iam/testPermissions', (context) => {
    buckets.get(context.req.param('bucket'));
    // Callers of this API own the bucket, so they have whatever they ask for.
    const permissions = context.req.queries('permissions') ?? [];
    return context.json({ kind: 'storage#testIamPermissionsResponse', permissions });
  });
  addDefaultAclRoutes(app, buckets);
  return app;
}

/** What every later upload gets that names no ACL of its own. */
function addDefaultAclRoutes(app: Hono, buckets: StorageService['buckets']): void {
  const path = '/b/:bucket/defaultObjectAcl';
  const resource = (bucket: string, { entity, role }: AclEntry) => ({
    kind: 'storage#objectAccessControl',
    bucket,
    entity,
    role,
  });
  const add = async (context: Context, entity?: string) => {
    const { name, defaultAcl } = buckets.get(context.req.param('bucket') ?? '');
    const entry = aclEntryOf({ entity, ...parseJsonBody(await context.req.text()) });
    const others = defaultAcl.filter((each) => each.entity !== entry.entity);
    buckets.change(name, { defaultAcl: [...others, entry] });
    return context.json(resource(name, entry));
  };
  app.get(path, (context) => {
    const { name, defaultAcl } = buckets.get(context.req.param('bucket'));
    const items = defaultAcl.map((entry) => resource(name, entry));
    return context.json({ kind: 'storage#objectAccessControls', items });
  });
  app.post(path, (context) => add(context));
  app.on(['PUT', 'PATCH'], `${path}/:entity`, (context) => add(context, context.req.param('entity')));
  app.delete(`${path}/:entity`, (context) => {
    const { name, defaultAcl } = buckets.get(context.req.param('bucket'));
    const kept = defaultAcl.filter(({ entity }) => entity !== context.req.param('entity'));
    buckets.change(name, { defaultAcl: kept });
    return context.body(null, 204);
  });
}

/** Fields that a client sends back unchanged, or that mean nothing on one machine. */
const ignoredFields = new Set([
  ...['kind', 'id', 'name', 'selfLink', 'location', 'locationType', 'storageClass', 'metageneration', 'etag'],
  ...['timeCreated', 'updated', 'projectNumber', 'labels', 'acl', 'rpo', 'autoclass'],
]);

/** The settings that a PATCH names. @throws StorageRequestError 501 for what the cloud would do and this server does not. */
function bucketChanges(body: JsonBody, query: Record<string, string>): BucketChanges {
  const changes: BucketChanges = {};
  for (const [field, value] of Object.entries(body)) {
    if (field === 'cors') changes.cors = value === null ? [] : corsRules(value);
    else if (field === 'defaultObjectAcl') changes.defaultAcl = aclOf(value) ?? [];
    else if (field === 'iamConfiguration') Object.assign(changes, accessChanges(value));
    else if (field === 'versioning' && (value as { enabled?: boolean } | null)?.enabled !== true) continue;
    else if (!ignoredFields.has(field)) throw notImplemented(`the bucket's ${field}`);
  }
  const { predefinedDefaultObjectAcl: predefined } = query;
  return predefined === undefined ? changes : { ...changes, defaultAcl: predefinedAcl(predefined) };
}

function accessChanges(value: unknown): BucketChanges {
  const { uniformBucketLevelAccess, publicAccessPrevention } = (value ?? {}) as {
    uniformBucketLevelAccess?: { enabled?: boolean };
    publicAccessPrevention?: string;
  };
  const uniform = uniformBucketLevelAccess?.enabled;
  return {
    ...(uniform === undefined ? {} : { uniformAccess: uniform }),
    ...(publicAccessPrevention === undefined
      ? {}
      : { publicAccessPrevented: publicAccessPrevention === 'enforced' }),
  };
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
