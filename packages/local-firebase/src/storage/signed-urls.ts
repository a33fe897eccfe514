/** Verifies signed URLs, V2 and V4, against the public keys of the service accounts that are known here. */
import { createHash, createPublicKey, type KeyObject, verify } from 'node:crypto';
import { LocalFirebaseError } from '../errors.ts';
import { invalid, StorageRequestError } from './errors.ts';

/** Whose signatures count. `publicKey` is PEM; the private key's PEM does too. */
export type ServiceAccount = { clientEmail: string; publicKey: string };

/** The parts of a request that a signature covers. */
type SignedRequest = { method: string; url: string; headers: Headers };

/** Whether a request is signed, and if so, whether rightly. */
export type UrlVerifier = {
  /**
   * False when the request carries no signature.
   *
   * @throws StorageRequestError with the cloud's codes: ExpiredToken, SignatureDoesNotMatch, InvalidSecurity …
   */
  verify(request: SignedRequest): boolean;
};

/** The longest that a V4 signature may hold: a week. */
const maximumSeconds = 7 * 24 * 3600;
/** How far the signer's clock may be ahead. */
const skewSeconds = 15 * 60;

/**
 * Builds the check. `clock` gives milliseconds since 1970.
 *
 * @throws LocalFirebaseError `invalid_configuration` when a key cannot be read.
 */
export function createUrlVerifier(accounts: readonly ServiceAccount[], clock: () => number): UrlVerifier {
  const keys = new Map(accounts.map((account) => [account.clientEmail, publicKeyOf(account)]));
  return {
    verify(request) {
      const query = queryOf(request.url);
      const nowSeconds = Math.floor(clock() / 1000);
      if (query.has('X-Goog-Signature')) verifyV4(request, query, keys, nowSeconds);
      else if (query.has('Signature')) verifyV2(request, query, keys, nowSeconds);
      else return false;
      return true;
    },
  };
}

function publicKeyOf({ clientEmail, publicKey }: ServiceAccount): KeyObject {
  try {
    return createPublicKey(publicKey);
  } catch (cause) {
    const message = `The key of the service account ${clientEmail} cannot be read: expected PEM.`;
    throw new LocalFirebaseError('invalid_configuration', message, { cause });
  }
}

type Keys = ReadonlyMap<string, KeyObject>;

/** https://cloud.google.com/storage/docs/authentication/canonical-requests */
function verifyV4(request: SignedRequest, query: Map<string, string>, keys: Keys, nowSeconds: number): void {
  const parameter = (name: string) => requiredParameter(query, name);
  const algorithm = parameter('X-Goog-Algorithm');
  if (algorithm !== 'GOOG4-RSA-SHA256') throw invalid(`Invalid argument: X-Goog-Algorithm=${algorithm}`);
  const [, account = '', scope = ''] = /^(.+?)\/(\d{8}\/.+)$/.exec(parameter('X-Goog-Credential')) ?? [];
  const date = parameter('X-Goog-Date');
  const signedSeconds = secondsOf(date);
  const lifetime = Number(parameter('X-Goog-Expires'));
  if (!Number.isInteger(lifetime) || lifetime < 1 || lifetime > maximumSeconds) {
    throw invalid(`X-Goog-Expires must be a number of seconds from 1 to ${maximumSeconds}.`);
  }
  if (signedSeconds > nowSeconds + skewSeconds) {
    const message = "The difference between the request time and the server's time is too large.";
    throw new StorageRequestError(403, 'requestTimeTooSkewed', message);
  }
  ensureNotExpired(signedSeconds + lifetime, nowSeconds);
  const signedHeaders = parameter('X-Goog-SignedHeaders').split(';');
  ensureGoogHeadersSigned(request.headers, signedHeaders);
  const signature = signatureBytes(parameter('X-Goog-Signature'), 'hex');
  const key = keyOf(keys, account);
  const matches = hostForms(request).some((host) => {
    const canonical = canonicalRequest(request, query, signedHeaders, host);
    const digest = createHash('sha256').update(canonical).digest('hex');
    const text = ['GOOG4-RSA-SHA256', date, scope, digest].join('\n');
    return verify('sha256', Buffer.from(text), key, signature);
  });
  if (!matches) throw doesNotMatch();
}

function canonicalRequest(
  { method, url, headers }: SignedRequest,
  query: Map<string, string>,
  signedHeaders: readonly string[],
  host: string,
): string {
  const canonicalQuery = [...query]
    .filter(([name]) => name !== 'X-Goog-Signature')
    .map(([name, value]) => [encoded(name), encoded(value)] as const)
    .sort(([one], [other]) => (one < other ? -1 : 1))
    .map(([name, value]) => `${name}=${value}`)
    .join('&');
  const headerLines = signedHeaders.map((name) => {
    const value = name === 'host' ? host : (headers.get(name) ?? '');
    return `${name}:${value.trim().replace(/\s{2,}/g, ' ')}\n`;
  });
  const payload = signedHeaders.includes('x-goog-content-sha256')
    ? (headers.get('x-goog-content-sha256') ?? '')
    : 'UNSIGNED-PAYLOAD';
  const path = canonicalPath(url);
  return [method, path, canonicalQuery, headerLines.join(''), signedHeaders.join(';'), payload].join('\n');
}

/** https://cloud.google.com/storage/docs/access-control/signed-urls-v2 */
function verifyV2(request: SignedRequest, query: Map<string, string>, keys: Keys, nowSeconds: number): void {
  const { method, url, headers } = request;
  const expires = requiredParameter(query, 'Expires');
  const extensionHeaders = [...headers]
    .filter(([name]) => name.startsWith('x-goog-') && !name.startsWith('x-goog-encryption-key'))
    .sort(([one], [other]) => (one < other ? -1 : 1))
    .map(([name, value]) => `${name}:${value.trim().replace(/\s+/g, ' ')}\n`);
  const text = [
    method,
    headers.get('content-md5') ?? '',
    headers.get('content-type') ?? '',
    expires,
    extensionHeaders.join('') + canonicalPath(url),
  ].join('\n');
  const key = keyOf(keys, requiredParameter(query, 'GoogleAccessId'));
  const signature = signatureBytes(requiredParameter(query, 'Signature'), 'base64');
  if (!verify('sha256', Buffer.from(text), key, signature)) throw doesNotMatch();
  ensureNotExpired(Number(expires), nowSeconds);
}

/** Node's decoder passes over what it cannot read: a signature with anything added would still hold. */
function signatureBytes(text: string, encoding: 'hex' | 'base64'): Buffer {
  const bytes = Buffer.from(text, encoding);
  if (bytes.toString(encoding) !== (encoding === 'hex' ? text.toLowerCase() : text)) throw doesNotMatch();
  return bytes;
}

/** The cloud takes no `x-goog-` header that the signer did not know of: it could change what the request does. */
function ensureGoogHeadersSigned(headers: Headers, signed: readonly string[]): void {
  for (const name of headers.keys()) {
    if (!name.startsWith('x-goog-') || signed.includes(name)) continue;
    const details = `Header ${name} was sent but is not among X-Goog-SignedHeaders.`;
    throw new StorageRequestError(
      400,
      'malformedSecurityHeader',
      'Your request has a malformed header.',
      details,
    );
  }
}

/** The cloud's host has no port; the client signs its own without, others with. */
function hostForms({ url, headers }: SignedRequest): string[] {
  const host = headers.get('host') ?? new URL(url).host;
  return [host, host.replace(/:\d+$/, '')];
}

function keyOf(keys: Keys, account: string): KeyObject {
  const key = keys.get(account);
  if (key !== undefined) return key;
  const details = `The local Storage knows no service account ${account}.`;
  throw new StorageRequestError(
    403,
    'invalidSecurity',
    'The provided security credentials are not valid.',
    details,
  );
}

function ensureNotExpired(expiresSeconds: number, nowSeconds: number): void {
  if (expiresSeconds > nowSeconds) return;
  const at = Number.isFinite(expiresSeconds) ? new Date(expiresSeconds * 1000).toISOString() : 'never valid';
  throw new StorageRequestError(
    400,
    'expiredToken',
    'Invalid argument.',
    `The provided token has expired. Request signature expired at: ${at}`,
  );
}

function doesNotMatch(): StorageRequestError {
  return new StorageRequestError(
    403,
    'signatureDoesNotMatch',
    'Access denied.',
    'The request signature we calculated does not match the signature you provided. Check your Google secret key and signing method.',
  );
}

function requiredParameter(query: Map<string, string>, name: string): string {
  const value = query.get(name);
  if (value === undefined || value === '') throw invalid(`Required parameter is missing: ${name}`);
  return value;
}

/** `20261122T201200Z` */
function secondsOf(date: string): number {
  const match = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(date);
  if (match === null) throw invalid(`Invalid argument: X-Goog-Date=${date}`);
  const [, year, month, day, hour, minute, second] = match.map(Number);
  return Date.UTC(year!, month! - 1, day, hour, minute, second) / 1000;
}

/** Decoded once, so that it does not matter how the client wrote what the signature has in one form. */
function queryOf(url: string): Map<string, string> {
  return new Map(new URL(url).searchParams);
}

function canonicalPath(url: string): string {
  const decoded = (segment: string) => {
    try {
      return decodeURIComponent(segment);
    } catch {
      throw invalid(`Invalid path: ${segment}`);
    }
  };
  return new URL(url).pathname
    .split('/')
    .map((segment) => encoded(decoded(segment)))
    .join('/')
    .replaceAll('%2F', '/');
}

/** Percent-encodes all but the unreserved characters of RFC 3986. */
function encoded(text: string): string {
  return encodeURIComponent(text).replace(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}
