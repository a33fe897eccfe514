/** Reads the HTTP `Range` header for one range of bytes (RFC 9110, section 14). */

/** First and last byte, both included. */
export type ByteRange = { first: number; last: number };

/**
 * What to send of `sizeBytes` bytes. A header that is absent, malformed or asks for several ranges means everything,
 * as in the cloud; `unsatisfiable` means 416.
 */
export function parseRange(
  header: string | undefined,
  sizeBytes: number,
): ByteRange | 'everything' | 'unsatisfiable' {
  const match = /^bytes=(\d{0,15})-(\d{0,15})$/.exec(header?.trim() ?? '');
  if (match === null) return 'everything';
  const [, from = '', to = ''] = match;
  if (from === '' && to === '') return 'everything';
  if (from === '') {
    const length = Math.min(Number(to), sizeBytes);
    return length === 0 ? 'unsatisfiable' : { first: sizeBytes - length, last: sizeBytes - 1 };
  }
  const first = Number(from);
  const last = to === '' ? sizeBytes - 1 : Math.min(Number(to), sizeBytes - 1);
  if (to !== '' && Number(to) < first) return 'everything';
  return first >= sizeBytes ? 'unsatisfiable' : { first, last };
}

/** What a `Content-Range` of an upload says: which bytes come, and whether the object is whole after them. */
export type UploadRange =
  /** `bytes a-b/total`; `end` (excluded) and `total` are null where the header has `*`. */
  | { kind: 'bytes'; start: number; end: number | null; total: number | null }
  /** `bytes *`+`/total`: no bytes; asks how much has arrived, and ends the upload if that is `total`. */
  | { kind: 'status'; total: number | null };

/** Reads `Content-Range` of a resumable upload; absent means "all of it, from the start". Null when malformed. */
export function parseUploadRange(header: string | undefined): UploadRange | null {
  if (header === undefined) return { kind: 'bytes', start: 0, end: null, total: null };
  const match = /^bytes (?:(\*)|(\d{1,15})-(\d{1,15}|\*))\/(\d{1,15}|\*)$/.exec(header.trim());
  if (match === null) return null;
  const [, status, start, last, size] = match;
  const total = size === '*' ? null : Number(size);
  if (status !== undefined) return { kind: 'status', total };
  const end = last === '*' ? null : Number(last) + 1;
  if (end !== null && end <= Number(start)) return null;
  return { kind: 'bytes', start: Number(start), end, total };
}
