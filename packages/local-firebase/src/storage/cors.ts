/** Cross-origin rules: the metadata APIs let every page in, the bytes only those that the bucket's configuration names. */
import type { Bucket, CorsRule } from './buckets.ts';

/** Headers that let any page read the answer: the JSON APIs of the cloud do so whatever the bucket says. */
export const openCorsHeaders: Record<string, string> = {
  'access-control-allow-origin': '*',
  'access-control-expose-headers':
    'content-length, content-range, content-type, etag, location, range, x-goog-generation, x-goog-hash, x-goog-metageneration, x-goog-upload-status, x-goog-upload-url, x-goog-upload-size-received, x-goog-upload-chunk-granularity, x-goog-upload-control-url',
};

/** The answer to a preflight of the JSON APIs. */
export function openPreflight(requestHeaders: Headers): Response {
  const headers = new Headers(openCorsHeaders);
  headers.set('access-control-allow-methods', 'GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS');
  const asked = requestHeaders.get('access-control-request-headers');
  if (asked !== null) headers.set('access-control-allow-headers', asked);
  headers.set('access-control-max-age', '3600');
  return new Response(null, { status: 204, headers });
}

/** Headers for an answer with the bytes of an object: none unless a rule of the bucket allows origin and method. */
export function bucketCorsHeaders(
  bucket: Bucket,
  method: string,
  requestHeaders: Headers,
): Record<string, string> {
  const origin = requestHeaders.get('origin');
  if (origin === null) return {};
  const rule = matchingRule(bucket.cors, origin, method);
  if (rule === undefined) return { vary: 'Origin' };
  return {
    vary: 'Origin',
    'access-control-allow-origin': rule.origin.includes('*') ? '*' : origin,
    ...(rule.responseHeader === undefined
      ? {}
      : { 'access-control-expose-headers': rule.responseHeader.join(', ') }),
  };
}

/** The answer to a preflight for the bytes: 200 without any allowance when no rule matches, as in the cloud. */
export function bucketPreflight(bucket: Bucket, requestHeaders: Headers): Response {
  const origin = requestHeaders.get('origin');
  const method = requestHeaders.get('access-control-request-method') ?? '';
  const rule = origin === null ? undefined : matchingRule(bucket.cors, origin, method);
  if (rule === undefined || origin === null) return new Response(null, { headers: { vary: 'Origin' } });
  const headers = new Headers({
    vary: 'Origin',
    'access-control-allow-origin': rule.origin.includes('*') ? '*' : origin,
    'access-control-allow-methods': rule.method.join(', '),
    'access-control-max-age': String(rule.maxAgeSeconds ?? 3600),
  });
  const allowed = new Set((rule.responseHeader ?? []).map((header) => header.toLowerCase()));
  const asked = (requestHeaders.get('access-control-request-headers') ?? '')
    .split(',')
    .map((name) => name.trim());
  const granted = asked.filter(
    (name) => name !== '' && (allowed.has('*') || allowed.has(name.toLowerCase())),
  );
  if (granted.length > 0) headers.set('access-control-allow-headers', granted.join(', '));
  return new Response(null, { headers });
}

function matchingRule(rules: readonly CorsRule[], origin: string, method: string): CorsRule | undefined {
  return rules.find(
    (rule) =>
      rule.origin.some((allowed) => allowed === '*' || allowed === origin) &&
      rule.method.some((allowed) => allowed === '*' || allowed.toUpperCase() === method.toUpperCase()),
  );
}
