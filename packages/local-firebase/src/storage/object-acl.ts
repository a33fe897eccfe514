/** `/b/{bucket}/o/{object}/acl` of the JSON API: who may read a single object. */
import type { Context, Hono } from 'hono';
import { type Bucket, ensureAclAllowed, ensureAclsCount, predefinedAcl } from './buckets.ts';
import { invalid, StorageRequestError } from './errors.ts';
import { type AclEntry, aclResource, type StoredObject } from './object.ts';
import { type JsonBody, parseJsonBody } from './object-fields.ts';
import type { StorageService } from './service.ts';

/** Adds the routes: list, get, insert, update, patch, delete. */
export function addAclRoutes(app: Hono, { index, buckets, find }: StorageService): void {
  const path = '/b/:bucket/o/:name/acl';
  function change(context: Context, work: (acl: AclEntry[]) => AclEntry[]): StoredObject {
    const { bucket = '', name = '' } = context.req.param();
    return index.change(bucket, name, {}, ({ fields, acl }) => ({ fields, acl: work(acl) }));
  }
  function objectOf(context: Context, verb: 'get' | 'delete'): StoredObject {
    const { bucket = '', name = '' } = context.req.param();
    ensureAclsCount(buckets.get(bucket), verb);
    return find(bucket, name, context.req.query('generation'));
  }
  const entryOf = (object: StoredObject, entity = ''): AclEntry => {
    const entry = object.acl.find((each) => each.entity === entity);
    if (entry !== undefined) return entry;
    throw new StorageRequestError(404, 'notFound', `The specified ACL entry ${entity} does not exist.`);
  };
  const put = async (context: Context, entity?: string) => {
    const entry = aclEntryOf({ entity, ...parseJsonBody(await context.req.text()) });
    ensureAclAllowed(buckets.get(context.req.param('bucket') ?? ''), [entry]);
    const object = change(context, (acl) => [...acl.filter((each) => each.entity !== entry.entity), entry]);
    return context.json(aclResource(object, entry));
  };
  app.get(path, (context) => {
    const object = objectOf(context, 'get');
    const items = object.acl.map((entry) => aclResource(object, entry));
    return context.json({ kind: 'storage#objectAccessControls', items });
  });
  app.get(`${path}/:entity`, (context) => {
    const object = objectOf(context, 'get');
    return context.json(aclResource(object, entryOf(object, context.req.param('entity'))));
  });
  app.post(path, (context) => put(context));
  app.on(['PUT', 'PATCH'], `${path}/:entity`, (context) => put(context, context.req.param('entity')));
  app.delete(`${path}/:entity`, (context) => {
    const entity = context.req.param('entity');
    entryOf(objectOf(context, 'delete'), entity);
    change(context, (acl) => acl.filter((each) => each.entity !== entity));
    return context.body(null, 204);
  });
}

/** What a PATCH makes of the ACL; null when it says nothing of it. `acl: null` or `[]` takes everybody's access. */
export function requestedAcl(
  bucket: Bucket,
  predefined: string | undefined,
  body: JsonBody,
): AclEntry[] | null {
  const requested =
    predefined !== undefined ? predefinedAcl(predefined) : body['acl'] === null ? [] : aclOf(body['acl']);
  if (requested !== null) ensureAclAllowed(bucket, requested);
  return requested;
}

/** An `acl` array in a body; null when there is none. @throws StorageRequestError 400 */
export function aclOf(value: unknown): AclEntry[] | null {
  if (value === undefined || value === null) return null;
  return (Array.isArray(value) ? (value as unknown[]) : [value]).map(aclEntryOf);
}

/** One entry. @throws StorageRequestError 400 */
export function aclEntryOf(value: unknown): AclEntry {
  const { entity, role } = (value ?? {}) as { entity?: unknown; role?: unknown };
  if (typeof entity === 'string' && (role === 'READER' || role === 'OWNER')) return { entity, role };
  throw invalid(`Invalid ACL entry: ${JSON.stringify(value)}. Expected entity, and role READER or OWNER.`);
}
