/** Uploads of the web SDK: `X-Goog-Upload-Protocol: multipart`, and `resumable` with its commands. */
import { randomUUID } from 'node:crypto';
import type { Context, Hono } from 'hono';
import type { ClientAccess, IncomingObject } from './client-access.ts';
import { invalid } from './errors.ts';
import { boundaryOf, readRelatedParts } from './multipart.ts';
import { firebaseResource, type StoredObject } from './object.ts';
import {
  fieldsOf,
  type JsonBody,
  parseJsonBody,
  withDownloadTokens,
  withoutTokens,
} from './object-fields.ts';
import { bodyOf, drained } from './request-body.ts';
import type { StorageService } from './service.ts';
import type { UploadRequest } from './upload-sessions.ts';

/** Adds `POST /b/{bucket}/o`. */
export function addFirebaseUploads(app: Hono, service: StorageService, access: ClientAccess): void {
  app.post('/b/:bucket/o', async (context) => {
    const command = context.req.header('x-goog-upload-command');
    if (command === 'start') return startUpload(service, access, context);
    if (command === undefined) return uploadAtOnce(service, access, context);
    const { id } = service.sessions.get(context.req.query('upload_id'));
    return service.sessions.alone(id, () => continueUpload(service, context, id, command));
  });
}

/** Metadata and bytes in one request, or bytes alone. */
async function uploadAtOnce(
  service: StorageService,
  access: ClientAccess,
  context: Context,
): Promise<Response> {
  const body = bodyOf(context);
  const contentType = context.req.header('content-type');
  const upload = async (json: JsonBody, mediaType: string | undefined, bytes: AsyncIterable<Uint8Array>) => {
    const request = await drained(bytes, () => {
      const checked = uploadRequest(context, json, mediaType);
      service.ensureUpload(checked);
      return checked;
    });
    // Rules may ask for the size, which is known when the bytes are here.
    const object = await service.upload(request, bytes, (sealed) =>
      ensureCreation(service, access, context, request, sealed),
    );
    return context.json(firebaseResource(object));
  };
  if (context.req.header('x-goog-upload-protocol') !== 'multipart') return upload({}, contentType, body);
  const { json, mediaType, media } = await readRelatedParts(body, boundaryOf(contentType));
  return upload(parseJsonBody(json), mediaType, media);
}

/** Asks whether the client may put these bytes there. */
async function ensureCreation(
  { index, buckets }: StorageService,
  access: ClientAccess,
  context: Context,
  { bucket, name, fields }: UploadRequest,
  content: Omit<IncomingObject, 'fields'>,
): Promise<void> {
  buckets.get(bucket);
  const current = index.find(bucket, name);
  const { sizeBytes, md5, crc32c } = content;
  const hashes = { ...(md5 === undefined ? {} : { md5 }), ...(crc32c === undefined ? {} : { crc32c }) };
  const incoming = { ...hashes, sizeBytes, fields };
  await access.ensure(context, { method: 'create', bucket, path: name, current, incoming });
}

async function startUpload(
  service: StorageService,
  access: ClientAccess,
  context: Context,
): Promise<Response> {
  const body = parseJsonBody(await context.req.text());
  const mediaType = context.req.header('x-goog-upload-header-content-type');
  const request = { ...uploadRequest(context, body, mediaType), announcedBytes: announcedBytes(context) };
  const { md5 } = request.checksums;
  await ensureCreation(service, access, context, request, {
    sizeBytes: request.announcedBytes,
    ...(md5 === undefined ? {} : { md5 }),
  });
  const id = await service.start(request);
  const url = new URL(context.req.url);
  url.searchParams.set('upload_id', id);
  url.searchParams.set('upload_protocol', 'resumable');
  return uploadAnswer('active', {
    'x-goog-upload-url': url.href,
    'x-goog-upload-chunk-granularity': '262144',
    'x-goog-upload-control-url': url.href,
    'x-gupload-uploadid': id,
  });
}

/** The size that `start` was allowed for; the upload must then have it. */
function announcedBytes(context: Context): number {
  const header = context.req.header('x-goog-upload-header-content-length') ?? '';
  if (/^\d{1,15}$/.test(header)) return Number(header);
  throw invalid(`Expected X-Goog-Upload-Header-Content-Length with a number of bytes, got "${header}".`);
}

/** The session's address is its key: who has it passed the check of `start`. */
async function continueUpload(
  service: StorageService,
  context: Context,
  id: string,
  command: string,
): Promise<Response> {
  const commands = new Set(command.split(',').map((word) => word.trim()));
  const { object } = service.sessions.get(id);
  if (object !== null) return finalAnswer(object);
  if (commands.has('cancel')) {
    await service.cancel(id);
    return uploadAnswer('cancelled');
  }
  if (commands.has('query')) {
    const received = await service.receivedBytes(id);
    return uploadAnswer('active', { 'x-goog-upload-size-received': String(received) });
  }
  if (!commands.has('upload') && !commands.has('finalize')) {
    throw invalid(`Unknown X-Goog-Upload-Command: ${JSON.stringify(command)}`);
  }
  if (commands.has('upload')) {
    const offset = Number(context.req.header('x-goog-upload-offset') ?? 0);
    if (!Number.isSafeInteger(offset) || offset < 0) throw invalid('Invalid X-Goog-Upload-Offset.');
    await service.append(id, offset, bodyOf(context));
  }
  return commands.has('finalize') ? finalAnswer(await service.finish(id, {})) : uploadAnswer('active');
}

function uploadAnswer(status: string, headers: Record<string, string> = {}): Response {
  return new Response(null, { headers: { ...headers, 'x-goog-upload-status': status } });
}

function finalAnswer(object: StoredObject): Response {
  return Response.json(firebaseResource(object), {
    headers: {
      'x-goog-upload-status': 'final',
      'x-goog-upload-size-received': String(object.sizeBytes),
    },
  });
}

/** Every object that a web client uploads gets a download token and a name for saving it, as in the cloud. */
function uploadRequest(context: Context, body: JsonBody, mediaType: string | undefined): UploadRequest {
  const bodyName = body['name'];
  const name = context.req.query('name') ?? (typeof bodyName === 'string' ? bodyName : '');
  const contentType = mediaType === undefined ? {} : { contentType: mediaType };
  const contentDisposition = `inline; filename*=utf-8''${fileNameOf(name)}`;
  const fields = { contentDisposition, ...contentType, ...fieldsOf(withoutTokens(body)) };
  const { md5Hash } = body;
  return {
    bucket: context.req.param('bucket') ?? '',
    name,
    fields: withDownloadTokens(fields, [randomUUID()]),
    acl: null,
    expected: {},
    checksums: typeof md5Hash === 'string' ? { md5: md5Hash } : {},
  };
}

/** The last segment, percent-encoded as RFC 5987 has it. A name that is no Unicode text is refused later. */
function fileNameOf(name: string): string {
  const last = Buffer.from(name.slice(name.lastIndexOf('/') + 1)).toString();
  return encodeURIComponent(last).replace(
    /['()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16)}`,
  );
}
