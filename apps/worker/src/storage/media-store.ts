/** Puts finished files into the bucket so that they can be read, and takes away what it put there, never what others did. */
import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { ERROR_CODES } from '@firepod/contract';
import type { Storage } from 'firebase-admin/storage';
import type { EncodedFile } from '../encode/image.ts';
import type { MediaAccess } from '../env.ts';
import { WorkerError } from '../errors.ts';
import { storageFaultOf } from './storage-error.ts';

/** A bucket of firebase-admin. */
export type Bucket = ReturnType<Storage['bucket']>;

/** A file to store under its object name. */
export interface NamedFile extends EncodedFile {
  name: string;
}

/** One generation of an object: what is written there later has another. */
export interface WrittenObject {
  name: string;
  generation: string;
}

/** A file as we wrote it into the bucket. */
export interface StoredFile extends WrittenObject {
  /** Readable by everybody, or by who has the URL with its token. */
  url: string;
}

/** Where results are kept. */
export interface MediaStore {
  /**
   * The generations that lie under these names now; absent names are left out. Read once, when a job is claimed.
   * @throws WorkerError `upload_failed` when the bucket cannot be read: then it could not be written either
   */
  readGenerations(names: readonly string[], signal: AbortSignal): Promise<ReadonlyMap<string, string>>;
  /**
   * Stores all files or none.
   * @throws WorkerError `upload_failed`, `superseded` when `isStillOurs` says no, or the signal's reason
   */
  store(files: readonly NamedFile[], options: StoreOptions): Promise<StoredFile[]>;
  /** Deletes these objects where they still are of these generations. */
  remove(objects: readonly WrittenObject[]): Promise<void>;
}

/** What a store needs to know to be safe against a second worker. */
export interface StoreOptions {
  /** As `readGenerations` found them at the claim. */
  generations: ReadonlyMap<string, string>;
  /** Asked when a name holds something unexpected: whether this attempt still owns the generation. */
  isStillOurs: () => Promise<boolean>;
  signal: AbortSignal;
}

/** Settings of a media store. */
export interface MediaStoreOptions {
  bucket: Bucket;
  mediaAccess: MediaAccess;
  /** `host:port` of a local Storage. */
  storageEmulatorHost?: string | undefined;
  /** Waits between the tries of one request; default half a second, doubled three times. */
  retryDelaysMs?: readonly number[];
  /** How long one request may take; default a minute, enough for the largest file on a slow line. */
  requestTimeoutMs?: number;
}

const RETRY_DELAYS_MS = [500, 1000, 2000, 4000];
const REQUEST_TIMEOUT_MS = 60_000;

/** A name is never written again once its document is completed, so that a cache may keep its file for ever. */
const CACHE_CONTROL = 'max-age=31536000, immutable';

/** A name is contended by one late worker at most; more conflicts mean that the bucket does not let us write. */
const CONFLICTS_MAX = 5;

/** Marks which upload wrote an object, so that a try whose answer was lost recognises its own work. */
const UPLOAD_MARK = 'firepodUpload';

/** The metadata key under which Firebase keeps the tokens of download URLs. */
const TOKENS_KEY = 'firebaseStorageDownloadTokens';

/** A store over one bucket, whose own retries it turns off; it remembers when the bucket refuses ACLs. */
export function createMediaStore(options: MediaStoreOptions): MediaStore {
  const { bucket, mediaAccess, storageEmulatorHost } = options;
  const delaysMs = options.retryDelaysMs ?? RETRY_DELAYS_MS;
  let isAclRefused = false;
  // One retry loop is enough, and ours knows the job's signal.
  bucket.storage.retryOptions.autoRetry = false;
  // Without it an upload that stalls would hold the job, and renew its lease, for ever.
  bucket.storage.timeout = options.requestTimeoutMs ?? REQUEST_TIMEOUT_MS;

  async function storeOne(file: NamedFile, { generations, isStillOurs, signal }: StoreOptions) {
    const mark = randomUUID();
    const token = randomUUID();
    let expected = generations.get(file.name) ?? '0';
    let tries = 0;
    let conflicts = 0;
    while (true) {
      signal.throwIfAborted();
      const isPublic = mediaAccess === 'public' && !isAclRefused;
      try {
        const generation = await put(file, { isPublic, token, mark, ifGenerationMatch: expected });
        return stored(file.name, generation, isPublic, token);
      } catch (error) {
        const fault = storageFaultOf(error);
        if (fault === 'acl-refused' && isPublic) {
          isAclRefused = true;
        } else if (fault === 'conflict' && conflicts < CONFLICTS_MAX) {
          conflicts += 1;
          // The order matters: generation first, ownership second. Whoever takes over after this answer writes a
          // newer generation, and ours is then refused again.
          const found = await readObject(file.name, signal);
          if (found?.mark === mark) return stored(file.name, found.generation, found.isPublic, token);
          if (!(await isStillOurs())) throw superseded();
          expected = found?.generation ?? '0';
        } else if (fault !== 'transient' || tries >= delaysMs.length) {
          await removeUnacknowledged(file.name, mark);
          throw uploadFailed(error);
        } else {
          await pause(jittered(delaysMs[tries]!), undefined, { signal });
          tries += 1;
        }
      }
    }
  }

  async function put(
    { name, bytes, contentType }: NamedFile,
    {
      isPublic,
      token,
      mark,
      ifGenerationMatch,
    }: { isPublic: boolean; token: string; mark: string; ifGenerationMatch: string },
  ): Promise<string> {
    const file = bucket.file(name);
    await file.save(bytes, {
      resumable: false,
      preconditionOpts: { ifGenerationMatch },
      ...(isPublic ? { predefinedAcl: 'publicRead' as const } : {}),
      metadata: {
        contentType,
        cacheControl: `${isPublic ? 'public' : 'private'}, ${CACHE_CONTROL}`,
        metadata: { [UPLOAD_MARK]: mark, ...(isPublic ? {} : { [TOKENS_KEY]: token }) },
      },
    });
    return String(file.metadata.generation);
  }

  function stored(name: string, generation: string, isPublic: boolean, token: string): StoredFile {
    return { name, generation, url: isPublic ? bucket.file(name).publicUrl() : tokenUrl(name, token) };
  }

  function tokenUrl(name: string, token: string): string {
    const host = storageEmulatorHost
      ? `http://${storageEmulatorHost}`
      : 'https://firebasestorage.googleapis.com';
    return `${host}/v0/b/${bucket.name}/o/${encodeURIComponent(name)}?alt=media&token=${token}`;
  }

  /** Null where there is no such object. */
  async function readObject(name: string, signal?: AbortSignal) {
    const [metadata] = await retrying(() => bucket.file(name).getMetadata(), signal).catch((error) => {
      if (storageFaultOf(error) === 'not-found') return [null];
      throw error;
    });
    if (!metadata) return null;
    return {
      generation: String(metadata.generation),
      mark: metadata.metadata?.[UPLOAD_MARK],
      isPublic: metadata.metadata?.[TOKENS_KEY] === undefined,
    };
  }

  /** A try whose answer was lost may have stored the file all the same. */
  async function removeUnacknowledged(name: string, mark: string): Promise<void> {
    const found = await readObject(name).catch(() => null); // the store is out of reach: nothing more can be done
    if (found?.mark === mark) await removeOne({ name, generation: found.generation });
  }

  async function removeOne({ name, generation }: WrittenObject): Promise<void> {
    await retrying(() => bucket.file(name).delete({ ifGenerationMatch: generation })).catch((error) => {
      const fault = storageFaultOf(error);
      if (fault !== 'conflict' && fault !== 'not-found') throw error;
    });
  }

  async function retrying<T>(request: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    for (let tries = 0; ; tries += 1) {
      try {
        return await request();
      } catch (error) {
        if (storageFaultOf(error) !== 'transient' || tries >= delaysMs.length) throw error;
        await pause(jittered(delaysMs[tries]!), undefined, { signal });
      }
    }
  }

  async function remove(objects: readonly WrittenObject[]): Promise<void> {
    const outcomes = await Promise.allSettled(objects.map(removeOne));
    const failed = outcomes.find((outcome) => outcome.status === 'rejected');
    if (failed) {
      throw new WorkerError('internal', 'Files of an unfinished generation could not be deleted.', {
        cause: failed.reason,
      });
    }
  }

  return {
    remove,
    async readGenerations(names, signal) {
      const generations = new Map<string, string>();
      const read = async (name: string) => {
        const found = await readObject(name, signal);
        if (found) generations.set(name, found.generation);
      };
      await Promise.all(names.map(read)).catch((error) => {
        signal.throwIfAborted();
        throw uploadFailed(error);
      });
      return generations;
    },
    async store(files, storeOptions) {
      const outcomes = await Promise.allSettled(files.map((file) => storeOne(file, storeOptions)));
      const failed = outcomes.find((outcome) => outcome.status === 'rejected');
      const kept = outcomes.flatMap((outcome) => (outcome.status === 'fulfilled' ? [outcome.value] : []));
      if (!failed) return kept;
      await remove(kept).catch((error) => {
        throw new AggregateError(
          [failed.reason, error],
          'The result was stored in part and cannot be taken away.',
        );
      });
      throw failed.reason;
    },
  };
}

function uploadFailed(cause: unknown): WorkerError {
  return new WorkerError('upload_failed', ERROR_CODES.upload_failed.sentence, { cause });
}

function superseded(): WorkerError {
  return new WorkerError('superseded', 'Another attempt owns this generation now.');
}

/** Between half of the delay and all of it, so that several workers do not come back together. */
function jittered(delayMs: number): number {
  return delayMs * (0.5 + Math.random() / 2);
}
