/** One file from a URL to a disk: resumed by Range requests, checked by size and hash, renamed into place, locked between processes. */

import { createHash, type Hash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { appendFile, mkdir, open, rename, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { DiffusionError, throwIfAborted } from '../errors.ts';
import type { DiffusionLogger } from '../logger.ts';
import { LOCK_TIMING, type LockTiming, withFileLock } from './file-lock.ts';

/** A hash that the content must have: SHA-256 of the bytes, or git's object name (SHA-1 over a header and the bytes). */
export interface ContentHash {
  readonly algorithm: 'sha256' | 'git-sha1';
  /** Lowercase hexadecimal. */
  readonly hex: string;
}

/** What to fetch and where to put it. */
export interface FileDownload {
  readonly url: string;
  /** Where the file appears, whole and checked or not at all. Its folder is created. */
  readonly path: string;
  readonly sizeBytes: number;
  readonly hash: ContentHash;
  /** Sent to the URL's own host only; a redirect to another one goes without `authorization`. */
  readonly headers?: Readonly<Record<string, string>>;
}

/** How a download runs. */
export interface DownloadOptions {
  readonly signal: AbortSignal;
  /** Bytes of this file that are on disk, from `sizeBytes` of an earlier attempt on. */
  readonly onProgress?: (receivedBytes: number) => void;
  readonly logger?: DiffusionLogger | undefined;
  /** Waits before each further attempt, in milliseconds, while no byte arrives; a `retry-after` header can make one longer. */
  readonly retryDelaysMs?: readonly number[];
  /** An attempt that receives nothing for this long is broken off. */
  readonly idleTimeoutMs?: number;
  readonly lockTiming?: LockTiming;
}

const RETRY_DELAYS_MS = [1000, 2000, 4000, 8000, 16_000, 30_000];
const IDLE_TIMEOUT_MS = 60_000;
/** A server that asks for more patience than this is not waited for. */
const LONGEST_RETRY_AFTER_MS = 300_000;

/**
 * Makes sure that the file is there. One that has the right size is taken as it is: it got its name only after its hash was checked.
 * Throws `download_failed` (with the status, without the query of the URL), `download_corrupt`, `aborted`.
 */
export async function downloadFile(download: FileDownload, options: DownloadOptions): Promise<void> {
  const { path } = download;
  if (await isComplete(download)) return options.onProgress?.(download.sizeBytes);
  await mkdir(dirname(path), { recursive: true });
  await withFileLock(
    `${path}.lock`,
    { signal: options.signal, timing: options.lockTiming ?? LOCK_TIMING },
    async () => {
      // Another process may have finished it while this one waited for the lock.
      if (!(await isComplete(download))) await downloadPart(download, `${path}.part`, options);
    },
  );
  options.onProgress?.(download.sizeBytes);
}

async function isComplete({ path, sizeBytes }: FileDownload): Promise<boolean> {
  const entry = await stat(path).catch(() => undefined);
  return entry?.isFile() === true && entry.size === sizeBytes;
}

/** Attempts until the part is whole; the count of attempts starts anew whenever bytes arrived. */
async function downloadPart(download: FileDownload, part: string, options: DownloadOptions): Promise<void> {
  const { signal, logger, retryDelaysMs = RETRY_DELAYS_MS } = options;
  for (let failures = 0; ; failures++) {
    throwIfAborted(signal);
    const sizeBefore = await sizeOf(part);
    try {
      await attempt(download, part, options);
      return;
    } catch (error) {
      throwIfAborted(signal);
      const isFinal = error instanceof DiffusionError;
      if (isFinal) throw error;
      if ((await sizeOf(part)) > sizeBefore) failures = 0;
      const waitMs = retryDelaysMs[failures];
      const reason = error instanceof Error ? error.message : String(error);
      if (waitMs === undefined) {
        throw new DiffusionError(
          'download_failed',
          `${nameOf(download)} could not be downloaded: ${reason}.`,
          {
            cause: error,
          },
        );
      }
      const askedMs = error instanceof TemporaryError ? (error.retryAfterMs ?? 0) : 0;
      logger?.warn(
        { file: download.path, reason, waitMs: Math.max(waitMs, askedMs) },
        'download interrupted',
      );
      await delay(Math.max(waitMs, askedMs), undefined, { signal }).catch(() => throwIfAborted(signal));
    }
  }
}

/** One request; on success the checked file has its name. */
async function attempt(download: FileDownload, part: string, options: DownloadOptions): Promise<void> {
  const { sizeBytes } = download;
  const hash = createContentHash(download);
  let received = await rehash(part, hash, sizeBytes);
  const wasResumed = received > 0;
  if (received < sizeBytes) {
    const body = await request(download, received, options);
    const file = await open(part, body.isWhole ? 'w' : 'a');
    // A server without ranges sends everything again.
    const running = body.isWhole ? createContentHash(download) : hash;
    if (body.isWhole) received = 0;
    try {
      for await (const chunk of body.chunks) {
        received += chunk.length;
        if (received > sizeBytes) break;
        await file.writeFile(chunk);
        running.update(chunk);
        options.onProgress?.(received);
      }
      await file.sync();
    } finally {
      await file.close();
    }
    if (received < sizeBytes)
      throw new TemporaryError(`the connection ended at ${received} of ${sizeBytes} bytes`);
    await finish(download, part, received, running, wasResumed && !body.isWhole);
    return;
  }
  // Nothing was left to fetch: an earlier attempt ended before its check, or the file is empty.
  await appendFile(part, '');
  await finish(download, part, received, hash, wasResumed);
}

/** Checks and renames. A resumed part with another hash may have a bad beginning: it is fetched once more from its first byte. */
async function finish(
  download: FileDownload,
  part: string,
  received: number,
  hash: Hash,
  wasResumed: boolean,
): Promise<void> {
  const { sizeBytes, path, hash: expected } = download;
  const actual = hash.digest('hex');
  if (received === sizeBytes && actual === expected.hex) {
    await rename(part, path);
    return;
  }
  await rm(part, { force: true });
  if (wasResumed) throw new TemporaryError('a resumed download has another hash');
  throw new DiffusionError(
    'download_corrupt',
    `${nameOf(download)} is not what was promised: ${received} bytes with ${expected.algorithm} ${actual}; expected ${sizeBytes} bytes with ${expected.hex}.`,
  );
}

interface ResponseBody {
  /** The server ignored the range: these bytes are the file from its start. */
  readonly isWhole: boolean;
  readonly chunks: AsyncIterable<Uint8Array>;
}

async function request(
  download: FileDownload,
  offset: number,
  options: DownloadOptions,
): Promise<ResponseBody> {
  const idle = new AbortController();
  const idleTimeoutMs = options.idleTimeoutMs ?? IDLE_TIMEOUT_MS;
  const timer = setTimeout(
    () => idle.abort(new TemporaryError(`nothing arrived for ${idleTimeoutMs} ms`)),
    idleTimeoutMs,
  );
  // Compressed bytes have other offsets and another size.
  const headers: Record<string, string> = { ...download.headers, 'accept-encoding': 'identity' };
  if (offset > 0) headers['range'] = `bytes=${offset}-`;
  const signal = AbortSignal.any([options.signal, idle.signal]);
  let response: Response;
  try {
    response = await fetch(download.url, { headers, signal });
  } catch (error) {
    clearTimeout(timer);
    throw idle.signal.aborted
      ? idle.signal.reason
      : new TemporaryError(describeNetworkError(error), undefined, error);
  }
  if ((response.status !== 200 && response.status !== 206) || !response.body) {
    clearTimeout(timer);
    await response.body?.cancel();
    throw errorOfStatus(download, response);
  }
  const range = response.headers.get('content-range');
  if (response.status === 206 && !range?.startsWith(`bytes ${offset}-`)) {
    clearTimeout(timer);
    await response.body.cancel();
    throw new TemporaryError(`the server sent the range ${range} instead of one from ${offset}`);
  }
  return { isWhole: response.status === 200, chunks: withIdleTimer(response.body, timer, idle.signal) };
}

/** Passes chunks on and winds the timer up again at each; its failures are all worth another attempt. */
async function* withIdleTimer(
  body: AsyncIterable<Uint8Array>,
  timer: NodeJS.Timeout,
  idle: AbortSignal,
): AsyncGenerator<Uint8Array> {
  try {
    for await (const chunk of body) {
      timer.refresh();
      yield chunk;
    }
  } catch (error) {
    throw idle.aborted ? idle.reason : new TemporaryError(describeNetworkError(error), undefined, error);
  } finally {
    clearTimeout(timer);
  }
}

/** A failure that the next attempt may not have. */
class TemporaryError extends Error {
  readonly retryAfterMs: number | undefined;

  constructor(message: string, retryAfterMs?: number, cause?: unknown) {
    super(message, { cause });
    this.retryAfterMs = retryAfterMs;
  }
}

function errorOfStatus(download: FileDownload, { status, headers }: Response): Error {
  if (status === 408 || status === 416 || status === 425 || status === 429 || status >= 500) {
    const seconds = Number(headers.get('retry-after') ?? Number.NaN);
    const retryAfterMs = Number.isFinite(seconds)
      ? Math.min(seconds * 1000, LONGEST_RETRY_AFTER_MS)
      : undefined;
    return new TemporaryError(`the server answered ${status}`, retryAfterMs);
  }
  const hint = status === 401 || status === 403 ? '; an access token with rights to it is needed' : '';
  return new DiffusionError(
    'download_failed',
    `${nameOf(download)} could not be downloaded: the server answered ${status}${hint}.`,
  );
}

/** Feeds what an earlier attempt left to the hash; returns its size, 0 (and no file) when it is longer than the file can be. */
async function rehash(part: string, hash: Hash, sizeBytes: number): Promise<number> {
  const size = await sizeOf(part);
  if (size > sizeBytes) await rm(part, { force: true });
  if (size === 0 || size > sizeBytes) return 0;
  for await (const chunk of createReadStream(part)) hash.update(chunk as Buffer);
  return size;
}

function createContentHash({ hash, sizeBytes }: FileDownload): Hash {
  if (hash.algorithm === 'sha256') return createHash('sha256');
  return createHash('sha1').update(`blob ${sizeBytes}\0`);
}

async function sizeOf(path: string): Promise<number> {
  const entry = await stat(path).catch(() => undefined);
  return entry?.size ?? 0;
}

/** The URL without its query, which can hold a signature. */
function nameOf({ url }: FileDownload): string {
  const { origin, pathname } = new URL(url);
  return `${origin}${pathname}`;
}

function describeNetworkError(error: unknown): string {
  const cause = error instanceof Error ? error.cause : undefined;
  const text =
    cause instanceof Error ? cause.message : error instanceof Error ? error.message : String(error);
  return text || 'the connection failed';
}
