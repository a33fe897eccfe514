/** Reads a `multipart/related` body of two parts, JSON and bytes, without holding the bytes in memory (RFC 2387). */
import { invalid } from './errors.ts';

/** The two parts. `media` must be read to its end before the request is answered. */
export type RelatedParts = {
  json: string;
  /** The `Content-Type` of the second part. */
  mediaType: string | undefined;
  media: AsyncIterable<Uint8Array>;
};

/** The largest JSON part: far above what metadata may be in the cloud (8 KiB and some fields). */
const maximumJsonBytes = 1024 * 1024;

/** The boundary that a `Content-Type` header names. @throws StorageRequestError 400 */
export function boundaryOf(contentType: string | undefined): string {
  const match = /^multipart\/related\b.*;\s*boundary=(?:"([^"]+)"|'([^']+)'|([^\s;]+))/i.exec(
    contentType ?? '',
  );
  const boundary = match?.[1] ?? match?.[2] ?? match?.[3];
  if (boundary === undefined)
    throw invalid(`Expected multipart/related with a boundary, got ${contentType}.`);
  return boundary;
}

/** @throws StorageRequestError 400 when the body is not two parts with that boundary; `media` throws it when the end is missing. */
export async function readRelatedParts(
  body: AsyncIterable<Uint8Array>,
  boundary: string,
): Promise<RelatedParts> {
  const source = body[Symbol.asyncIterator]();
  const reader = createDelimitedReader(source);
  // The first boundary has no line break before it; pretend it has, so that all delimiters are alike.
  reader.unread(Buffer.from('\r\n'));
  const delimiter = `\r\n--${boundary}`;
  await reader.until(delimiter);
  await reader.until('\r\n');
  await partHeaders(reader);
  const json = await reader.until(delimiter);
  await reader.until('\r\n');
  const headers = await partHeaders(reader);
  return {
    json: json.toString('utf8'),
    mediaType: /^content-type:\s*(.+?)\s*$/im.exec(headers)?.[1],
    media: reader.streamUntil(delimiter),
  };
}

/** The header lines of a part, which may be none. */
async function partHeaders(reader: DelimitedReader): Promise<string> {
  reader.unread(Buffer.from('\r\n'));
  return (await reader.until('\r\n\r\n')).toString('latin1');
}

type DelimitedReader = {
  unread(bytes: Buffer): void;
  /** Everything up to the delimiter, which is consumed too. */
  until(delimiter: string): Promise<Buffer>;
  /** The same piece by piece; consumes the source to its end. */
  streamUntil(delimiter: string): AsyncIterable<Uint8Array>;
};

function createDelimitedReader(source: AsyncIterator<Uint8Array>): DelimitedReader {
  let pending: Buffer = Buffer.alloc(0);
  const missing = (delimiter: string) =>
    invalid(`The multipart body ended before ${JSON.stringify(delimiter)} was found.`);
  async function more(): Promise<boolean> {
    const { done, value } = await source.next();
    if (done === true) return false;
    pending = pending.length === 0 ? Buffer.from(value) : Buffer.concat([pending, value]);
    return true;
  }
  return {
    unread(bytes) {
      pending = Buffer.concat([bytes, pending]);
    },
    async until(delimiter) {
      for (;;) {
        const at = pending.indexOf(delimiter);
        if (at >= 0) {
          const found = pending.subarray(0, at);
          pending = pending.subarray(at + Buffer.byteLength(delimiter));
          return found;
        }
        if (pending.length > maximumJsonBytes) throw invalid('The metadata part is larger than 1 MiB.');
        if (!(await more())) throw missing(delimiter);
      }
    },
    async *streamUntil(delimiter) {
      const size = Buffer.byteLength(delimiter);
      for (;;) {
        const at = pending.indexOf(delimiter);
        if (at >= 0) {
          if (at > 0) yield pending.subarray(0, at);
          break;
        }
        // The last bytes may be the start of a delimiter whose rest has not come yet.
        const safe = pending.length - size + 1;
        if (safe > 0) {
          const ready = pending.subarray(0, safe);
          pending = pending.subarray(safe);
          yield ready;
        }
        if (!(await more())) throw missing(delimiter);
      }
      // A client that is answered before its body is read sees a broken connection instead.
      while ((await source.next()).done !== true);
    },
  };
}
