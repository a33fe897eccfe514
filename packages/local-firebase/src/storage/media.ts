/** The answer with an object's bytes: ranges, conditions, hashes, caching. */
import { pipeline, Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import type { ContentFolder } from './content.ts';
import type { StorageRequestError } from './errors.ts';
import { isPublic, objectEtag, type StoredObject } from './object.ts';
import { parseRange } from './ranges.ts';

/**
 * Sends the object that `find` gives, a range of it (206), nothing new (304), or 416. `extraHeaders` are those of CORS,
 * `overrides` stand in for the object's own. What is stored as gzip is unpacked for a client that cannot do so itself.
 *
 * @throws what `find` throws when there is no object, or none any more.
 */
export async function mediaResponse(
  request: Request,
  find: () => StoredObject,
  content: ContentFolder,
  extraHeaders: Record<string, string>,
  overrides: Record<string, string> = {},
): Promise<Response> {
  for (;;) {
    const object = find();
    try {
      return await responseWith(request, object, content, { ...overrides, ...extraHeaders });
    } catch (error) {
      // Replaced between the look and the opening of its file: look again.
      const isGone = (error as NodeJS.ErrnoException).code === 'ENOENT';
      if (!isGone || find().contentId === object.contentId) throw error;
    }
  }
}

async function responseWith(
  request: Request,
  object: StoredObject,
  content: ContentFolder,
  extraHeaders: Record<string, string>,
): Promise<Response> {
  const headers = new Headers({ ...mediaHeaders(object), ...extraHeaders });
  if (isFresh(request, object)) return new Response(null, { status: 304, headers });

  if (needsUnpacking(request, object)) return unpackedResponse(request, object, content, headers);
  const ifRange = request.headers.get('if-range');
  const asked = ifRange === null || ifRange === headers.get('etag') ? request.headers.get('range') : null;
  const range = parseRange(asked ?? undefined, object.sizeBytes);
  if (range === 'unsatisfiable') {
    const unsatisfiable = new Headers({ ...extraHeaders, 'content-range': `bytes */${object.sizeBytes}` });
    return new Response('The requested range cannot be satisfied.', { status: 416, headers: unsatisfiable });
  }
  if (range === 'everything') headers.set('content-length', String(object.sizeBytes));
  else {
    headers.set('content-length', String(range.last - range.first + 1));
    headers.set('content-range', `bytes ${range.first}-${range.last}/${object.sizeBytes}`);
  }
  const status = range === 'everything' ? 200 : 206;
  if (request.method === 'HEAD' || object.sizeBytes === 0) return new Response(null, { status, headers });
  const stream = await content.read(object.contentId, range);
  return new Response(Readable.toWeb(stream) as ReadableStream<Uint8Array>, { status, headers });
}

/** Decompressive transcoding (https://cloud.google.com/storage/docs/transcoding). */
function needsUnpacking(request: Request, { fields }: StoredObject): boolean {
  if (fields.contentEncoding !== 'gzip' || /\bno-transform\b/.test(fields.cacheControl ?? '')) return false;
  return !/\bgzip\b|\*/.test(request.headers.get('accept-encoding') ?? '');
}

/** Ranges of the unpacked bytes cannot be known without unpacking all of them: the cloud sends everything too. */
async function unpackedResponse(
  request: Request,
  object: StoredObject,
  content: ContentFolder,
  headers: Headers,
): Promise<Response> {
  for (const name of ['content-encoding', 'accept-ranges']) headers.delete(name);
  headers.append('vary', 'Accept-Encoding');
  headers.set('warning', '214 UploadServer gunzipped');
  if (request.method === 'HEAD') return new Response(null, { headers });
  const unpacked = createGunzip();
  // A file that only claims to be gzip breaks the transfer off; the reader of `unpacked` sees why.
  pipeline(await content.read(object.contentId, 'everything'), unpacked, () => {});
  return new Response(Readable.toWeb(unpacked) as ReadableStream<Uint8Array>, { headers });
}

function mediaHeaders(object: StoredObject): Record<string, string> {
  const { fields } = object;
  const headers: Record<string, string | undefined> = {
    'content-type': fields.contentType ?? 'application/octet-stream',
    'content-encoding': fields.contentEncoding,
    'content-language': fields.contentLanguage,
    'content-disposition': fields.contentDisposition,
    'cache-control':
      fields.cacheControl ?? (isPublic(object) ? 'public, max-age=3600' : 'private, max-age=0'),
    'accept-ranges': 'bytes',
    etag: `"${objectEtag(object)}"`,
    'last-modified': new Date(object.updatedAt).toUTCString(),
    'x-goog-generation': String(object.generation),
    'x-goog-metageneration': String(object.metageneration),
    'x-goog-hash': `crc32c=${object.crc32c},md5=${object.md5}`,
    'x-goog-storage-class': 'STANDARD',
    'x-goog-stored-content-encoding': fields.contentEncoding ?? 'identity',
    'x-goog-stored-content-length': String(object.sizeBytes),
    // A file that a user uploaded must not be taken for a page of this origin.
    'x-content-type-options': 'nosniff',
  };
  const sendable = /^[\t\x20-\x7e\x80-\xff]*$/;
  return Object.fromEntries(
    Object.entries(headers).filter(
      (entry): entry is [string, string] => entry[1] !== undefined && sendable.test(entry[1]),
    ),
  );
}

function isFresh(request: Request, object: StoredObject): boolean {
  const tags = request.headers.get('if-none-match');
  if (tags !== null) return tags.trim() === '*' || tags.includes(`"${objectEtag(object)}"`);
  const since = request.headers.get('if-modified-since');
  return since !== null && Math.floor(object.updatedAt / 1000) * 1000 <= Date.parse(since);
}

/** The answer to a refusal where bytes were asked for: plain text, as the cloud's `alt=media` has it. */
export function mediaErrorResponse(error: StorageRequestError, headers: Record<string, string>): Response {
  const { httpStatus: status, message } = error;
  if (status === 304) return new Response(null, { status, headers });
  return new Response(message, {
    status,
    headers: { ...headers, 'content-type': 'text/plain; charset=utf-8' },
  });
}
