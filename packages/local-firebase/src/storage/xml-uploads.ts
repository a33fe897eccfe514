/** PUT, POST and DELETE of plain links: what signed URLs upload and remove, at once or resumable. */
import type { Context, Hono } from 'hono';
import { predefinedAcl } from './buckets.ts';
import { invalid, StorageRequestError } from './errors.ts';
import { continueSession, hashesOf } from './json-uploads.ts';
import { type ObjectFields, objectEtag, type StoredObject } from './object.ts';
import { xmlPreconditionsOf } from './preconditions.ts';
import { bodyOf, drained } from './request-body.ts';
import type { StorageService } from './service.ts';
import type { UploadRequest } from './upload-sessions.ts';
import type { XmlAccess } from './xml-access.ts';

type CorsHeaders = (context: Context) => Record<string, string>;

/** Adds them. The address of a resumable session is its key: whoever has it was allowed to start it. */
export function addXmlUploads(
  app: Hono,
  service: StorageService,
  access: XmlAccess,
  corsHeaders: CorsHeaders,
): void {
  const path = '/:bucket/:name{.+}';
  app.put(path, async (context) => {
    const headers = corsHeaders(context);
    const uploadId = context.req.query('upload_id');
    if (uploadId !== undefined) {
      const { id } = service.sessions.get(uploadId);
      const answer = (object: StoredObject) => created(object, headers);
      return service.sessions.alone(id, () => continueSession(service, context, id, answer, headers));
    }
    const body = bodyOf(context);
    const { request, limits } = await drained(body, () => {
      access.ensure(context, 'create');
      const checked = uploadRequest(context);
      service.ensureUpload(checked);
      return { request: checked, limits: lengthRangeOf(context) };
    });
    const object = await service.upload(request, body, async ({ sizeBytes }) => {
      ensureLength(sizeBytes, limits);
    });
    return created(object, headers);
  });
  app.post(path, async (context) => {
    access.ensure(context, 'create');
    if (context.req.header('x-goog-resumable') !== 'start') {
      throw invalid(
        'POST of an object starts a resumable upload: expected the header x-goog-resumable: start.',
      );
    }
    const id = await service.start(uploadRequest(context));
    const location = new URL(context.req.path, context.req.url);
    location.searchParams.set('upload_id', id);
    const headers = { ...corsHeaders(context), location: location.href, 'x-guploader-uploadid': id };
    return new Response(null, { status: 201, headers });
  });
  app.delete(path, async (context) => {
    const { bucket, name } = context.req.param();
    const uploadId = context.req.query('upload_id');
    if (uploadId !== undefined) {
      const { id } = service.sessions.get(uploadId);
      await service.sessions.alone(id, () => service.cancel(id));
      return new Response(null, { status: 499, headers: corsHeaders(context) });
    }
    access.ensure(context, 'delete');
    service.find(bucket, name, context.req.query('generation'));
    await service.remove(bucket, name, xmlPreconditionsOf(context.req.raw.headers));
    return new Response(null, { status: 204, headers: corsHeaders(context) });
  });
}

function created(object: StoredObject, corsHeaders: Record<string, string>): Response {
  const headers = {
    ...corsHeaders,
    etag: `"${objectEtag(object)}"`,
    'x-goog-generation': String(object.generation),
    'x-goog-metageneration': String(object.metageneration),
    'x-goog-hash': `crc32c=${object.crc32c},md5=${object.md5}`,
    'x-goog-stored-content-length': String(object.sizeBytes),
  };
  return new Response(null, { headers });
}

const fieldHeaders = {
  contentType: 'content-type',
  cacheControl: 'cache-control',
  contentDisposition: 'content-disposition',
  contentEncoding: 'content-encoding',
  contentLanguage: 'content-language',
} as const;

/** The same upload that the JSON API has in query and body, from headers. */
function uploadRequest(context: Context): UploadRequest {
  const { headers } = context.req.raw;
  const fields: ObjectFields = {};
  for (const [field, header] of Object.entries(fieldHeaders)) {
    const value = headers.get(header);
    if (value !== null) fields[field as keyof typeof fieldHeaders] = value;
  }
  const metadata = [...headers]
    .filter(([name]) => name.startsWith('x-goog-meta-'))
    .map(([name, value]) => [name.slice('x-goog-meta-'.length), value]);
  if (metadata.length > 0) fields.metadata = Object.fromEntries(metadata);
  const acl = headers.get('x-goog-acl');
  const md5 = headers.get('content-md5');
  return {
    bucket: context.req.param('bucket') ?? '',
    name: context.req.param('name') ?? '',
    fields,
    // `public-read` here is `publicRead` there.
    acl:
      acl === null
        ? null
        : predefinedAcl(acl.replace(/-([a-z])/g, (_, letter: string) => letter.toUpperCase())),
    expected: xmlPreconditionsOf(headers),
    checksums: { ...(md5 === null ? {} : { md5 }), ...hashesOf(headers.get('x-goog-hash') ?? undefined) },
  };
}

type LengthRange = { least: number; most: number } | null;

/** `x-goog-content-length-range: least,most`, which a signer makes uploaders send. */
function lengthRangeOf(context: Context): LengthRange {
  const header = context.req.header('x-goog-content-length-range');
  if (header === undefined) return null;
  const [, least, most] = /^(\d{1,15}),(\d{1,15})$/.exec(header) ?? [];
  if (most === undefined) throw invalid(`Invalid argument: x-goog-content-length-range: ${header}`);
  return { least: Number(least), most: Number(most) };
}

function ensureLength(sizeBytes: number, range: LengthRange): void {
  if (range === null) return;
  const { least, most } = range;
  const details = `The upload has ${sizeBytes} bytes; allowed are ${least} to ${most}.`;
  if (sizeBytes > most) {
    const message = 'Your proposed upload exceeds the maximum allowed object size.';
    throw new StorageRequestError(400, 'entityTooLarge', message, details);
  }
  if (sizeBytes < least) {
    const message = 'Your proposed upload is smaller than the minimum object size.';
    throw new StorageRequestError(400, 'entityTooSmall', message, details);
  }
}
