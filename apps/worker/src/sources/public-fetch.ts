/** Fetches a user's https address without reaching anything that is not public, and without taking more than it may. */
import { lookup } from 'node:dns/promises';
import { request as httpRequest, type IncomingMessage, type RequestOptions } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { isIP, type LookupFunction } from 'node:net';
import { abortable } from '../abortable.ts';
import { isPublicAddress } from './public-address.ts';

/** Redirects that are followed: from a short link to a host, from there to its store, and one for a slash. */
const REDIRECTS_MAX = 3;
const REDIRECT_STATUSES = new Set([301, 302, 303, 307, 308]);

/** An address that a name stands for. */
interface ResolvedAddress {
  address: string;
  family: number;
}

/** What a fetch may do; tests inject what reaches their own server. */
export interface PublicFetchOptions {
  /** `host:port` that may be asked over http and on loopback: a local Storage. */
  storageEmulatorHost?: string | undefined;
  maxBytes: number;
  /** For everything together: names, redirects, body. */
  timeoutMs: number;
  resolve?: (hostname: string) => Promise<ResolvedAddress[]>;
  isAllowed?: (address: string) => boolean;
  /** Certificates that count besides the system's. */
  ca?: string | undefined;
}

/** Why nothing came: in words that follow the name of the field. */
export class FetchRefusal extends Error {
  override readonly name = 'FetchRefusal';
  /** Whether the address itself is not allowed, or what lies there could not be had. */
  readonly isForbidden: boolean;

  constructor(message: string, options: { isForbidden: boolean; cause?: unknown }) {
    super(message, 'cause' in options ? { cause: options.cause } : {});
    this.isForbidden = options.isForbidden;
  }
}

/**
 * The bytes that a GET of `url` answers with. Each name is resolved once, all of its addresses are checked, and the
 * connection goes to these: a second answer of the name server (DNS rebinding) is never asked for. Redirects are checked
 * as the first address was. Nothing but the address is sent: no cookies, no credentials.
 * @throws FetchRefusal, or the signal's reason
 */
export async function fetchPublic(
  url: string,
  options: PublicFetchOptions & { signal: AbortSignal },
): Promise<Buffer> {
  const timeout = AbortSignal.timeout(options.timeoutMs);
  const signal = AbortSignal.any([options.signal, timeout]);
  try {
    let current = parseUrl(url, options);
    for (let redirects = 0; ; redirects += 1) {
      const response = await get(current, options, signal);
      const location = locationOf(response);
      if (location === null) return await readBody(response, options.maxBytes, signal);
      response.destroy();
      if (redirects >= REDIRECTS_MAX) {
        throw unavailable(`the address redirects more than ${REDIRECTS_MAX} times`);
      }
      current = parseUrl(new URL(location, current).href, options);
    }
  } catch (error) {
    options.signal.throwIfAborted();
    if (error instanceof FetchRefusal) throw error;
    if (timeout.aborted) {
      throw unavailable(
        `the address did not answer in full within ${options.timeoutMs / 1000} seconds`,
        error,
      );
    }
    throw unavailable('the address could not be fetched', error);
  }
}

/** The URL standard also turns hosts like `0x7f.1` or `2130706433` into dotted form, so that they are judged as such. */
function parseUrl(text: string, { storageEmulatorHost }: PublicFetchOptions): URL {
  const url = URL.canParse(text) ? new URL(text) : null;
  const isLocalStorage = url?.protocol === 'http:' && url.host === storageEmulatorHost;
  if (url === null || (url.protocol !== 'https:' && !isLocalStorage)) {
    throw forbidden('the address, or one that it redirects to, is not allowed; expected https');
  }
  if (url.username !== '' || url.password !== '') {
    throw forbidden('the address holds a user name or password; expected none');
  }
  return url;
}

async function get(url: URL, options: PublicFetchOptions, signal: AbortSignal): Promise<IncomingMessage> {
  const addresses = await addressesOf(url, options, signal);
  const request = url.protocol === 'http:' ? httpRequest : httpsRequest;
  const requestOptions: RequestOptions & { ca?: string } = {
    signal,
    lookup: pinned(addresses),
    // Not the shared agent: it would give a socket of another request to the same name.
    agent: false,
    headers: {
      accept: 'image/png, image/jpeg, image/webp',
      'accept-encoding': 'identity',
      'user-agent': 'Firepod',
    },
    ...(options.ca === undefined ? {} : { ca: options.ca }),
  };
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    request(url, requestOptions, resolve).once('error', reject).end();
  });
  if (response.statusCode === 200 || REDIRECT_STATUSES.has(response.statusCode ?? 0)) return response;
  response.destroy();
  throw unavailable(`the address answered with status ${response.statusCode}`);
}

/** Every address of the host, none of which may be closed: one that is would be reached by asking again. */
async function addressesOf(
  url: URL,
  { storageEmulatorHost, resolve = resolveHost, isAllowed = isPublicAddress }: PublicFetchOptions,
  signal: AbortSignal,
): Promise<ResolvedAddress[]> {
  const hostname = url.hostname.replace(/^\[|\]$/g, '');
  const family = isIP(hostname);
  const addresses = family === 0 ? await resolved() : [{ address: hostname, family }];
  const isLocalStorage = url.protocol === 'http:' && url.host === storageEmulatorHost;
  if (!isLocalStorage && !addresses.every(({ address }) => isAllowed(address))) {
    throw forbidden('the address leads into a network that is not public');
  }
  return addresses;

  async function resolved(): Promise<ResolvedAddress[]> {
    const found = await abortable(resolve(hostname), signal).catch((cause) => {
      signal.throwIfAborted();
      throw unavailable(`the host of the address is not known`, cause);
    });
    if (found.length === 0) throw unavailable('the host of the address is not known');
    return found;
  }
}

function resolveHost(hostname: string): Promise<ResolvedAddress[]> {
  return lookup(hostname, { all: true, verbatim: true });
}

/** Answers a socket's question for the name with what was checked. */
function pinned(addresses: readonly ResolvedAddress[]): LookupFunction {
  return (_hostname, { all }, callback) => {
    const [first] = addresses;
    if (all) callback(null, [...addresses]);
    else callback(null, first!.address, first!.family);
  };
}

function locationOf({ statusCode, headers }: IncomingMessage): string | null {
  if (!REDIRECT_STATUSES.has(statusCode ?? 0)) return null;
  const { location } = headers;
  if (location === undefined) throw unavailable('the address redirects to nowhere');
  return location;
}

async function readBody(response: IncomingMessage, maxBytes: number, signal: AbortSignal): Promise<Buffer> {
  try {
    if (Number(response.headers['content-length'] ?? 0) > maxBytes) throw tooLarge(maxBytes);
    const chunks: Buffer[] = [];
    let sizeBytes = 0;
    for await (const chunk of response) {
      signal.throwIfAborted();
      sizeBytes += (chunk as Buffer).length;
      if (sizeBytes > maxBytes) throw tooLarge(maxBytes);
      chunks.push(chunk as Buffer);
    }
    return Buffer.concat(chunks, sizeBytes);
  } finally {
    response.destroy();
  }
}

function tooLarge(maxBytes: number): FetchRefusal {
  return unavailable(`the file is larger than ${maxBytes} bytes`);
}

function forbidden(message: string): FetchRefusal {
  return new FetchRefusal(message, { isForbidden: true });
}

function unavailable(message: string, cause?: unknown): FetchRefusal {
  return new FetchRefusal(message, { isForbidden: false, ...(cause === undefined ? {} : { cause }) });
}
