/** Reads the bytes of a source from where a request says it lies: a data URL, the user's own upload, or the internet. */
import { setTimeout as pause } from 'node:timers/promises';
import { isSourceOf, parseStorageUrl, SOURCE_MAX_BYTES } from '@firepod/contract';
import { abortable } from '../abortable.ts';
import type { Bucket } from '../storage/media-store.ts';
import { storageFaultOf } from '../storage/storage-error.ts';
import { FetchRefusal, fetchPublic, type PublicFetchOptions } from './public-fetch.ts';
import { type SourceField, sourceNotAllowed, sourceNotAvailable } from './source-error.ts';

/** For a whole fetch: a source of 20 MB on a slow line. */
const FETCH_TIMEOUT_MS = 30_000;
/** Waits between the tries of one request to Storage. */
const RETRY_DELAYS_MS = [300, 1000];

/** Who asks, and until when. */
interface SourceRequest {
  /** Null: nobody, and then no upload can be theirs. */
  userId: string | null;
  signal: AbortSignal;
}

/** Reads sources. */
export interface SourceReader {
  /** @throws WorkerError `source_not_available` or `invalid_argument` naming the field, or the signal's reason */
  read(field: SourceField, url: string, request: SourceRequest): Promise<Buffer>;
}

/** What a reader reads with. */
export interface SourceReaderOptions {
  /** Where uploads lie; null for a worker without Firebase. */
  bucket: Bucket | null;
  /** `host:port` of a local Storage. */
  storageEmulatorHost?: string | undefined;
  /** How tests reach their own servers. */
  fetch?: Partial<Pick<PublicFetchOptions, 'resolve' | 'isAllowed' | 'ca' | 'timeoutMs'>>;
  maxBytes?: number;
}

/** A reader over one bucket. */
export function createSourceReader(options: SourceReaderOptions): SourceReader {
  const { bucket, storageEmulatorHost, maxBytes = SOURCE_MAX_BYTES } = options;

  async function readUpload(field: SourceField, url: string, { userId, signal }: SourceRequest) {
    const object = parseStorageUrl(url);
    if (bucket === null || object === null || object.bucket !== bucket.name) {
      const expected =
        bucket === null ? 'an https address or a data URL' : `an upload in gs://${bucket.name}`;
      throw sourceNotAllowed(
        field,
        `the file lies in a bucket that this worker does not read; expected ${expected}.`,
      );
    }
    if (userId === null || !isSourceOf(userId, object.name)) {
      throw sourceNotAllowed(field, 'the file is not among the sources of this user.');
    }
    try {
      const [metadata] = await retrying(() => bucket.file(object.name).getMetadata(), signal);
      if (Number(metadata.size ?? 0) > maxBytes) throw tooLarge(field, maxBytes);
      // Of the generation whose size was asked: another one may be of another size.
      const file = bucket.file(object.name, { generation: metadata.generation! });
      const [bytes] = await retrying(() => file.download(), signal);
      return bytes;
    } catch (error) {
      signal.throwIfAborted();
      const fault = storageFaultOf(error);
      if (fault === 'not-found')
        throw sourceNotAvailable(field, 'there is no such file; it may have been deleted.');
      if (error instanceof Error && error.name === 'WorkerError') throw error;
      throw sourceNotAvailable(field, 'the file could not be read from Storage.', error);
    }
  }

  async function readAddress(field: SourceField, url: string, signal: AbortSignal): Promise<Buffer> {
    try {
      return await fetchPublic(url, {
        storageEmulatorHost,
        maxBytes,
        timeoutMs: FETCH_TIMEOUT_MS,
        ...options.fetch,
        signal,
      });
    } catch (error) {
      if (!(error instanceof FetchRefusal)) throw error;
      const refusal = `${error.message}.`;
      throw error.isForbidden
        ? sourceNotAllowed(field, refusal)
        : sourceNotAvailable(field, refusal, error.cause);
    }
  }

  function readDataUrl(field: SourceField, url: string): Buffer {
    const base64 = url.slice(url.indexOf(',') + 1);
    const bytes = Buffer.from(base64, 'base64');
    if (bytes.length > maxBytes) throw tooLarge(field, maxBytes);
    return bytes;
  }

  return {
    async read(field, url, request) {
      request.signal.throwIfAborted();
      if (url.startsWith('data:')) return readDataUrl(field, url);
      if (url.startsWith('gs://')) return readUpload(field, url, request);
      return readAddress(field, url, request.signal);
    },
  };
}

function tooLarge(field: SourceField, maxBytes: number) {
  return sourceNotAllowed(field, `the file is larger than ${maxBytes} bytes.`);
}

/** Another try for what may pass. */
async function retrying<Result>(ask: () => Promise<Result>, signal: AbortSignal): Promise<Result> {
  for (let tries = 0; ; tries += 1) {
    try {
      return await abortable(ask(), signal);
    } catch (error) {
      signal.throwIfAborted();
      const delayMs = RETRY_DELAYS_MS[tries];
      if (storageFaultOf(error) !== 'transient' || delayMs === undefined) throw error;
      await pause(delayMs, undefined, { signal });
    }
  }
}
