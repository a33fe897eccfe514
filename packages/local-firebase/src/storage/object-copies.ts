/** `rewriteTo`, `copyTo` and `compose` of the JSON API: objects made of other objects. */
import type { Context, Hono } from 'hono';
import { predefinedAcl } from './buckets.ts';
import { invalid } from './errors.ts';
import { ensureObjectName } from './names.ts';
import { gcsResource, type StoredObject } from './object.ts';
import { aclOf } from './object-acl.ts';
import { fieldsOf, type JsonBody, parseJsonBody } from './object-fields.ts';
import { ensurePreconditions, preconditionsOf } from './preconditions.ts';
import { originOf } from './request-body.ts';
import type { StorageService } from './service.ts';

/** Adds the routes. */
export function addCopyRoutes(app: Hono, service: StorageService): void {
  app.post('/b/:bucket/o/:name/:copy{rewriteTo|copyTo}/b/:toBucket/o/:toName', (context) =>
    copyObject(service, context, context.req.param()),
  );
  app.post('/b/:bucket/o/:name/compose', (context) => compose(service, context));
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
  const size = String(source.sizeBytes);
  if (copy === 'rewriteTo') {
    const rewritten = rewrittenBytes(source, query);
    if (rewritten < source.sizeBytes) {
      return context.json({
        kind: 'storage#rewriteResponse',
        totalBytesRewritten: String(rewritten),
        objectSize: size,
        done: false,
        rewriteToken: encodeRewriteToken(source, rewritten),
      });
    }
  }
  const { destinationPredefinedAcl } = query;
  const object = await service.copy(source, {
    bucket: toBucket,
    name: toName,
    // A body that names any metadata replaces all of the source's, as in the cloud.
    fields: Object.keys(body).length === 0 ? source.fields : { ...contentTypeOf(source), ...fieldsOf(body) },
    acl:
      destinationPredefinedAcl === undefined ? aclOf(body['acl']) : predefinedAcl(destinationPredefinedAcl),
    expected: preconditionsOf(query),
    checksums: {},
  });
  const resource = gcsResource(object, originOf(context));
  if (copy === 'copyTo') return context.json(resource);
  return context.json({
    kind: 'storage#rewriteResponse',
    totalBytesRewritten: size,
    objectSize: size,
    done: true,
    resource,
  });
}

const mebibyte = 1024 * 1024;

/**
 * How far a rewrite is after this call. It goes in steps only where the client asks for steps, and the bytes are copied in the
 * last: nobody can see a half-written object, and a token is worth nothing once the source has changed.
 */
function rewrittenBytes(source: StoredObject, query: Record<string, string>): number {
  const { maxBytesRewrittenPerCall: step, rewriteToken } = query;
  const before = rewriteToken === undefined ? 0 : decodeRewriteToken(source, rewriteToken);
  if (step === undefined) return source.sizeBytes;
  const stepBytes = Number(step);
  if (!Number.isSafeInteger(stepBytes) || stepBytes < mebibyte || stepBytes % mebibyte !== 0) {
    throw invalid(`maxBytesRewrittenPerCall must be a multiple of 1 MiB, got ${step}.`);
  }
  return Math.min(before + stepBytes, source.sizeBytes);
}

function encodeRewriteToken({ generation }: StoredObject, rewritten: number): string {
  return Buffer.from(`${generation}/${rewritten}`).toString('base64url');
}

function decodeRewriteToken({ generation }: StoredObject, token: string): number {
  const [of, rewritten] = Buffer.from(token, 'base64url').toString().split('/').map(Number);
  if (of !== generation || !Number.isSafeInteger(rewritten)) throw invalid('Invalid argument: rewriteToken');
  return rewritten!;
}

function contentTypeOf({ fields }: StoredObject): { contentType?: string } {
  return fields.contentType === undefined ? {} : { contentType: fields.contentType };
}

/** At most 32 objects of one bucket become one. */
async function compose(service: StorageService, context: Context): Promise<Response> {
  const { bucket = '', name = '' } = context.req.param();
  const query = context.req.query();
  const body = parseJsonBody(await context.req.text());
  const listed = body['sourceObjects'];
  if (!Array.isArray(listed) || listed.length === 0 || listed.length > 32) {
    throw invalid('The number of source components must be from 1 to 32.');
  }
  const sources = (listed as JsonBody[]).map((each) => {
    const generation = each['generation'];
    const source = service.find(
      bucket,
      String(each['name']),
      generation === undefined ? undefined : String(generation),
    );
    const preconditions = (each['objectPreconditions'] ?? {}) as { ifGenerationMatch?: unknown };
    const expected = preconditions.ifGenerationMatch;
    ensurePreconditions(source, expected === undefined ? {} : { generationMatch: Number(expected) });
    return source;
  });
  const destination = (body['destination'] ?? {}) as JsonBody;
  const { destinationPredefinedAcl } = query;
  const object = await service.compose(sources, {
    bucket,
    name,
    fields: { ...contentTypeOf(sources[0]!), ...fieldsOf(destination) },
    acl: destinationPredefinedAcl === undefined ? null : predefinedAcl(destinationPredefinedAcl),
    expected: preconditionsOf(query),
    checksums: {},
  });
  return context.json(gcsResource(object, originOf(context)));
}
