/** The bytes of objects, in files named by random ids: half-arrived ones in `uploads/`, whole ones in `objects/`. */
import { randomUUID } from 'node:crypto';
import { copyFile, mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { type Checksums, createChecksums } from './checksums.ts';
import type { ByteRange } from './ranges.ts';

/** Bytes that are whole, hashed, and on disk. */
export type SealedContent = Checksums & { contentId: string; sizeBytes: number };

/** A folder of bytes. Nothing in it is visible to clients until the index of objects names it. */
export type ContentFolder = {
  /** Appends to a half-arrived upload, which is made by the first call. What came before an error stays. Returns its size. */
  append(id: string, bytes: AsyncIterable<Uint8Array> | Iterable<Uint8Array>): Promise<number>;
  partialSize(id: string): Promise<number>;
  /** Hashes an upload, brings it to disk and moves it to the whole ones, under the same id. */
  seal(id: string): Promise<SealedContent>;
  /** A second file with the same bytes; returns its id. */
  copy(contentId: string): Promise<string>;
  /** An open file has its bytes until it is closed, whoever deletes the object meanwhile. */
  read(contentId: string, range: ByteRange | 'everything'): Promise<Readable>;
  discard(id: string): Promise<void>;
  /** Removes every file that neither an object nor an open upload refers to: what a crash left behind. */
  sweep(contentIds: ReadonlySet<string>, uploadIds: ReadonlySet<string>): Promise<number>;
};

/** Opens the folder, making it when absent. */
export async function openContentFolder(folder: string): Promise<ContentFolder> {
  const uploads = join(folder, 'uploads');
  const objects = join(folder, 'objects');
  await mkdir(uploads, { recursive: true });
  await mkdir(objects, { recursive: true });
  const partialFile = (id: string) => join(uploads, id);
  // 256 folders, so that none holds too many files for a file manager.
  const objectFolder = (id: string) => join(objects, id.slice(0, 2));
  const objectFile = (id: string) => join(objectFolder(id), id);

  async function append(
    id: string,
    bytes: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  ): Promise<number> {
    const file = await open(partialFile(id), 'a');
    try {
      for await (const chunk of bytes) await file.appendFile(chunk);
      return (await file.stat()).size;
    } finally {
      await file.close();
    }
  }
  return {
    append,
    partialSize: async (id) => (await stat(partialFile(id))).size,
    async seal(id) {
      const checksums = createChecksums();
      const file = await open(partialFile(id), 'r+');
      try {
        for await (const chunk of file.createReadStream({ autoClose: false })) checksums.add(chunk as Buffer);
        await file.sync();
      } finally {
        await file.close();
      }
      await mkdir(objectFolder(id), { recursive: true });
      await rename(partialFile(id), objectFile(id));
      await syncFolder(objectFolder(id));
      return { ...checksums.result(), contentId: id, sizeBytes: (await stat(objectFile(id))).size };
    },
    async copy(contentId) {
      const id = randomUUID();
      await copyFile(objectFile(contentId), partialFile(id));
      return id;
    },
    async read(contentId, range) {
      const file = await open(objectFile(contentId), 'r');
      return range === 'everything'
        ? file.createReadStream()
        : file.createReadStream({ start: range.first, end: range.last });
    },
    async discard(id) {
      await Promise.all([partialFile(id), objectFile(id)].map((file) => rm(file, { force: true })));
    },
    async sweep(contentIds, uploadIds) {
      const lost = (await readdir(uploads)).filter((id) => !uploadIds.has(id)).map(partialFile);
      for (const part of await readdir(objects)) {
        const ids = await readdir(join(objects, part));
        lost.push(...ids.filter((id) => !contentIds.has(id)).map((id) => join(objects, part, id)));
      }
      await Promise.all(lost.map((file) => rm(file, { force: true })));
      return lost.length;
    },
  };
}

/** Makes a rename in the folder outlive a power cut. */
async function syncFolder(folder: string): Promise<void> {
  // Windows cannot open folders; its file system logs renames by itself.
  if (process.platform === 'win32') return;
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
