/** Writes, copies and deletes of whole objects: the steps that must keep bytes and index in agreement. */
import { randomUUID } from 'node:crypto';
import { type Buckets, ensureAclAllowed } from './buckets.ts';
import type { ContentFolder, SealedContent } from './content.ts';
import { invalid, noSuchObject, StorageRequestError } from './errors.ts';
import { ensureObjectName } from './names.ts';
import type { StoredObject } from './object.ts';
import type { ObjectIndex } from './objects.ts';
import { ensurePreconditions, type Preconditions } from './preconditions.ts';
import type { UploadRequest, UploadSessions } from './upload-sessions.ts';

/** Handed to every route. */
export type StorageService = {
  index: ObjectIndex;
  content: ContentFolder;
  buckets: Buckets;
  sessions: UploadSessions;
  /** Refuses an upload that cannot succeed, before its bytes are taken. @throws StorageRequestError */
  ensureUpload(request: UploadRequest): void;
  /** Takes all bytes and makes the object, unless `check` throws. Of an upload that breaks off nothing stays. */
  upload(
    request: UploadRequest,
    bytes: AsyncIterable<Uint8Array>,
    check?: (content: SealedContent) => Promise<void>,
  ): Promise<StoredObject>;
  /** Checks the request and opens a resumable session for it. Returns its id. */
  start(request: UploadRequest): Promise<string>;
  /** Takes more bytes of a session, which start at `offset`. Returns how many it has now. Bytes before an error stay. */
  append(sessionId: string, offset: number, bytes: AsyncIterable<Uint8Array>): Promise<number>;
  /** How many bytes of an unfinished session have arrived. */
  receivedBytes(sessionId: string): Promise<number>;
  /** Makes the object of a session from the bytes that have arrived. */
  finish(sessionId: string, checksums: UploadRequest['checksums']): Promise<StoredObject>;
  cancel(sessionId: string): Promise<void>;
  copy(source: StoredObject, request: UploadRequest): Promise<StoredObject>;
  /** Makes an object of the bytes of others, in their order. */
  compose(sources: readonly StoredObject[], request: UploadRequest): Promise<StoredObject>;
  remove(bucket: string, name: string, expected: Preconditions): Promise<void>;
  /** @throws StorageRequestError 404; also when `generation` is given and is not the current one. */
  find(bucket: string, name: string, generation?: string): StoredObject;
};

/** Builds the steps over the open parts. */
export function createStorageService(
  parts: Pick<StorageService, 'index' | 'content' | 'buckets' | 'sessions'>,
): StorageService {
  const { index, content, buckets, sessions } = parts;

  function ensureUpload({ bucket, name, acl, expected }: UploadRequest): void {
    const settings = buckets.get(bucket);
    ensureObjectName(name);
    if (acl !== null) ensureAclAllowed(settings, acl);
    // Only to answer early: the check that counts is made together with the write.
    ensurePreconditions(index.find(bucket, name), expected);
  }
  async function commit(
    request: UploadRequest,
    sealed: SealedContent,
    { sessionId, componentCount }: { sessionId?: string; componentCount?: number } = {},
  ): Promise<StoredObject> {
    try {
      ensureChecksums(sealed, request.checksums);
      const { announcedBytes = sealed.sizeBytes } = request;
      if (announcedBytes !== sealed.sizeBytes) {
        throw invalid(`The upload has ${sealed.sizeBytes} bytes, but ${announcedBytes} were announced.`);
      }
      const { bucket, name, fields, acl, expected } = request;
      const entry = {
        ...sealed,
        bucket,
        name,
        fields,
        acl: acl ?? [...buckets.get(bucket).defaultAcl],
        ...(componentCount === undefined ? {} : { componentCount }),
      };
      const { object, replaced } = index.put(entry, expected, (made) => {
        if (sessionId !== undefined) sessions.finish(sessionId, made);
      });
      if (replaced !== null) await content.discard(replaced.contentId);
      return object;
    } catch (error) {
      await content.discard(sealed.contentId);
      throw error;
    }
  }
  return {
    ...parts,
    ensureUpload,
    async upload(request, bytes, check) {
      const id = randomUUID();
      let sealed: SealedContent;
      try {
        await content.append(id, bytes);
        sealed = await content.seal(id);
        await check?.(sealed);
      } catch (error) {
        await content.discard(id);
        throw error;
      }
      return commit(request, sealed);
    },
    async start(request) {
      ensureUpload(request);
      const id = randomUUID();
      // The file first: a session whose file is missing could not be told from one that lost its bytes.
      await content.append(id, []);
      sessions.start(id, request);
      return id;
    },
    async append(sessionId, offset, bytes) {
      const received = await content.partialSize(sessionId);
      if (offset > received) {
        throw invalid(`The range starts at byte ${offset}, but only ${received} bytes have arrived.`);
      }
      return content.append(sessionId, skip(bytes, received - offset));
    },
    receivedBytes: (sessionId) => content.partialSize(sessionId),
    async finish(sessionId, checksums) {
      const { request } = sessions.get(sessionId);
      const sealed = await content.seal(sessionId);
      try {
        return await commit({ ...request, checksums: { ...request.checksums, ...checksums } }, sealed, {
          sessionId,
        });
      } catch (error) {
        // The bytes are gone: trying again needs a new session.
        sessions.cancel(sessionId);
        throw error;
      }
    },
    async cancel(sessionId) {
      sessions.cancel(sessionId);
      await content.discard(sessionId);
    },
    async copy(source, request) {
      ensureUpload(request);
      const id = await content.copy(source.contentId).catch(sourceIsGone);
      return commit(request, await content.seal(id));
    },
    async compose(sources, request) {
      ensureUpload(request);
      const id = randomUUID();
      try {
        for (const { contentId } of sources) {
          await content.append(id, await content.read(contentId, 'everything').catch(sourceIsGone));
        }
      } catch (error) {
        await content.discard(id);
        throw error;
      }
      return commit(request, await content.seal(id), { componentCount: sources.length });
    },
    async remove(bucket, name, expected) {
      const { contentId } = index.remove(bucket, name, expected);
      await content.discard(contentId);
    },
    find(bucket, name, generation) {
      buckets.get(bucket);
      const object = index.find(bucket, name);
      if (object === null || (generation !== undefined && String(object.generation) !== generation)) {
        throw noSuchObject(bucket, name);
      }
      return object;
    },
  };
}

function sourceIsGone(error: NodeJS.ErrnoException): never {
  if (error.code !== 'ENOENT') throw error;
  const message = 'The source was replaced meanwhile. Please try again.';
  throw new StorageRequestError(503, 'backendError', message);
}

/** A client that could not know how much had arrived sends some of it again. */
async function* skip(bytes: AsyncIterable<Uint8Array>, count: number): AsyncIterable<Uint8Array> {
  let left = count;
  for await (const chunk of bytes) {
    if (left < chunk.length) yield left === 0 ? chunk : chunk.subarray(left);
    left = Math.max(0, left - chunk.length);
  }
}

function ensureChecksums(actual: SealedContent, claimed: UploadRequest['checksums']): void {
  const check = (name: string, expected: string | undefined, found: string) => {
    if (expected === undefined || expected === found) return;
    throw invalid(`Provided ${name} hash "${expected}" doesn't match calculated ${name} hash "${found}".`);
  };
  check('MD5', claimed.md5, actual.md5);
  check('CRC32C', claimed.crc32c, actual.crc32c);
}
