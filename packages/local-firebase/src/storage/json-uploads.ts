/** `/upload/storage/v1/b/{bucket}/o`: the uploads of the Google Cloud client, in one request or resumable. */
import { type Context, Hono } from 'hono';
import { predefinedAcl } from './buckets.ts';
import type { Checksums } from './checksums.ts';
import { invalid } from './errors.ts';
import { boundaryOf, readRelatedParts } from './multipart.ts';
import { gcsResource, type StoredObject } from './object.ts';
import { aclOf } from './object-acl.ts';
import { fieldsOf, type JsonBody, parseJsonBody } from './object-fields.ts';
import { preconditionsOf } from './preconditions.ts';
import { parseUploadRange } from './ranges.ts';
import { bodyOf, drained, originOf } from './request-body.ts';
import type { StorageService } from './service.ts';
import type { UploadRequest } from './upload-sessions.ts';

/** Builds the routes below `/upload/storage/v1`. */
export function createJsonUploads(service: StorageService): Hono {
  const app = new Hono();
  app.post('/b/:bucket/o', (context) => {
    const type = context.req.query('uploadType');
    if (type === 'multipart') return multipartUpload(service, context);
    if (type === 'resumable') return startResumable(service, context);
    if (type === 'media') return mediaUpload(service, context);
    throw invalid(
      `Invalid value for uploadType: ${JSON.stringify(type)}. Expected multipart, resumable or media.`,
    );
  });
  app.put('/b/:bucket/o', async (context) => {
    const { id } = service.sessions.get(context.req.query('upload_id'));
    const answer = (object: StoredObject) => context.json(gcsResource(object, originOf(context)));
    return service.sessions.alone(id, () => continueSession(service, context, id, answer));
  });
  app.delete('/b/:bucket/o', async (context) => {
    const { id } = service.sessions.get(context.req.query('upload_id'));
    await service.sessions.alone(id, () => service.cancel(id));
    // "Client closed request": what the cloud answers to a cancelled upload.
    return new Response(null, { status: 499 });
  });
  return app;
}

async function multipartUpload(service: StorageService, context: Context): Promise<Response> {
  const body = bodyOf(context);
  const { json, mediaType, media } = await readRelatedParts(
    body,
    boundaryOf(context.req.header('content-type')),
  );
  const request = await drained(media, () => {
    const checked = uploadRequest(context, parseJsonBody(json), mediaType);
    service.ensureUpload(checked);
    return checked;
  });
  return context.json(gcsResource(await service.upload(request, media), originOf(context)));
}

async function mediaUpload(service: StorageService, context: Context): Promise<Response> {
  const body = bodyOf(context);
  const request = await drained(body, () => {
    const checked = uploadRequest(context, {}, context.req.header('content-type'));
    service.ensureUpload(checked);
    return checked;
  });
  return context.json(gcsResource(await service.upload(request, body), originOf(context)));
}

async function startResumable(service: StorageService, context: Context): Promise<Response> {
  const body = parseJsonBody(await context.req.text());
  const request = uploadRequest(context, body, context.req.header('x-upload-content-type'));
  const id = await service.start(request);
  const location = new URL(context.req.url);
  location.searchParams.set('upload_id', id);
  return new Response(null, { headers: { location: location.href, 'x-guploader-uploadid': id } });
}

/** One PUT of a session: bytes, or a question about them. Ends in 200 with the `answer`, or 308 with what has arrived. */
export async function continueSession(
  service: StorageService,
  context: Context,
  id: string,
  answer: (object: StoredObject) => Response,
  extraHeaders: Record<string, string> = {},
): Promise<Response> {
  const { object } = service.sessions.get(id);
  if (object !== null) {
    // A client that lost the answer sends the last bytes again.
    for await (const _ of bodyOf(context));
    return answer(object);
  }
  const header = context.req.header('content-range');
  const range = parseUploadRange(header);
  if (range === null) throw invalid(`Invalid Content-Range: ${JSON.stringify(header)}`);
  const received =
    range.kind === 'status'
      ? await service.receivedBytes(id)
      : await service.append(id, range.start, bodyOf(context));
  // `bytes 0-*`+`/*` has neither end nor size: what the request carries is all there is.
  const endsHere = range.kind === 'bytes' && range.end === null && range.total === null;
  if (endsHere || received === range.total) {
    return answer(await service.finish(id, hashesOf(context.req.header('x-goog-hash'))));
  }
  if (range.total !== null && received > range.total) {
    throw invalid(`The upload has ${received} bytes, more than the announced ${range.total}.`);
  }
  const headers: Record<string, string> = received === 0 ? {} : { range: `bytes=0-${received - 1}` };
  return new Response(null, { status: 308, headers: { ...extraHeaders, ...headers } });
}

function uploadRequest(context: Context, body: JsonBody, mediaType: string | undefined): UploadRequest {
  const query = context.req.query();
  const bodyName = body['name'];
  const name = query['name'] ?? (typeof bodyName === 'string' ? bodyName : '');
  const encoding = query['contentEncoding'];
  const fields = {
    ...(mediaType === undefined ? {} : { contentType: mediaType }),
    ...(encoding === undefined ? {} : { contentEncoding: encoding }),
    ...fieldsOf(body),
  };
  const { md5Hash, crc32c } = body;
  return {
    bucket: context.req.param('bucket') ?? '',
    name,
    fields,
    acl: query['predefinedAcl'] === undefined ? aclOf(body['acl']) : predefinedAcl(query['predefinedAcl']),
    expected: preconditionsOf(query),
    checksums: {
      ...(typeof md5Hash === 'string' ? { md5: md5Hash } : {}),
      ...(typeof crc32c === 'string' ? { crc32c } : {}),
      ...hashesOf(context.req.header('x-goog-hash')),
    },
  };
}

/** `x-goog-hash: crc32c=…,md5=…` */
export function hashesOf(header: string | undefined): Partial<Checksums> {
  const found = [...(header ?? '').matchAll(/(crc32c|md5)=([A-Za-z0-9+/=]+)/g)];
  return Object.fromEntries(found.map(([, name, value]) => [name, value]));
}
