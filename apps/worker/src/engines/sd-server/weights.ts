/** A model's files on the weights folder: fetched once for all workers that share it, checked, and digested. */
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { type DownloadOptions, downloadFile } from '@firepod/diffusion';
import type { NoteListener } from '../messages.ts';
import { createDownloadNotes, makeWeightsFolder, weightsError } from '../weights-folder.ts';
import { type Manifest, type PinnedFile, pinnedFilesOf } from './manifest.ts';

/** A model whose files are on disk. */
export interface LocalModel {
  manifest: Manifest;
  /** Path by role. */
  paths: ReadonlyMap<string, string>;
  /** Hex digest of what `sha256sum` would print for the files, in the manifest's order. */
  sha256: string;
}

/** Where files go and who is told. */
export interface WeightsOptions extends Pick<DownloadOptions, 'signal' | 'lockTiming' | 'retryDelaysMs'> {
  folder: string;
  /** A sentence for the log, now and then while bytes arrive. */
  onNote: NoteListener;
}

/**
 * Makes sure that the model's files are there, one after the other: each download is a lock, a part that is resumed, a
 * check and a rename.
 * @throws WorkerError `model_not_available`; the signal's reason when it fires
 */
export async function ensureWeights(manifest: Manifest, options: WeightsOptions): Promise<LocalModel> {
  const files = pinnedFilesOf(manifest);
  const totalBytes = files.reduce((sum, { size_bytes }) => sum + size_bytes, 0);
  const note = createDownloadNotes(manifest.id, options.onNote);
  let earlierBytes = 0;
  await makeWeightsFolder(options.folder);
  for (const file of files) {
    await fetchFile(file, options, (receivedBytes) => {
      if (receivedBytes === file.size_bytes) return;
      note({ file: file.path, receivedBytes: earlierBytes + receivedBytes, totalBytes });
    });
    earlierBytes += file.size_bytes;
  }
  return {
    manifest,
    paths: new Map(files.map(({ role, path }) => [role, join(options.folder, path)])),
    sha256: createHash('sha256')
      .update(files.map(({ sha256, path }) => `${sha256}  ${path}\n`).join(''))
      .digest('hex'),
  };
}

async function fetchFile(
  { url, path, size_bytes, sha256 }: PinnedFile,
  { folder, signal, lockTiming, retryDelaysMs }: WeightsOptions,
  onProgress: (receivedBytes: number) => void,
): Promise<void> {
  try {
    await downloadFile(
      { url, path: join(folder, path), sizeBytes: size_bytes, hash: { algorithm: 'sha256', hex: sha256 } },
      {
        signal,
        onProgress,
        ...(lockTiming && { lockTiming }),
        ...(retryDelaysMs && { retryDelaysMs }),
      },
    );
  } catch (cause) {
    signal.throwIfAborted();
    if (!(cause instanceof Error)) throw cause;
    throw weightsError(cause);
  }
}
