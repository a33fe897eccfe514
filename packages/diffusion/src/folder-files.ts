/** The files that any model folder in the diffusers ONNX layout has: its index, a graph with its config for each part, a scheduler. */

import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { DiffusionError } from './errors.ts';
import { fileExists, readJsonFile } from './json-file.ts';

/** Reads model_index.json, which names the pipeline and its parts. Throws `model_folder_invalid` when there is none. */
export async function readModelIndex(folder: string): Promise<Record<string, unknown>> {
  const path = join(folder, 'model_index.json');
  if (await fileExists(path)) return readJsonFile(path);
  throw new DiffusionError(
    'model_folder_invalid',
    `${folder} is not a diffusers model folder: it has no model_index.json.`,
  );
}

/** Throws `model_folder_invalid` that lists every missing file of these parts and of the scheduler. */
export async function assertFilesExist(folder: string, parts: readonly string[]): Promise<void> {
  const required = [
    ...parts.flatMap((part) => [`${part}/model.onnx`, `${part}/config.json`]),
    'scheduler/scheduler_config.json',
  ];
  const present = await Promise.all(required.map((name) => fileExists(join(folder, name))));
  const missing = required.filter((_, index) => !present[index]);
  if (missing.length > 0) throw incompleteFolder(folder, missing);
  for (const part of parts) await assertNotLfsPointer(join(folder, part, 'model.onnx'));
}

/** The error for files that a folder lacks. */
export function incompleteFolder(folder: string, missing: readonly string[]): DiffusionError {
  return new DiffusionError(
    'model_folder_invalid',
    `${folder} is incomplete: it has no ${missing.join(', no ')}.`,
  );
}

/** A clone without git-lfs leaves a short text where the weights should be; ONNX Runtime's parse error would not tell. */
export async function assertNotLfsPointer(path: string): Promise<void> {
  const marker = 'version https://git-lfs';
  const file = await open(path);
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(marker.length), 0, marker.length, 0);
    if (buffer.toString('latin1', 0, bytesRead) !== marker) return;
  } finally {
    await file.close();
  }
  throw new DiffusionError(
    'model_folder_invalid',
    `${path} is a git-lfs pointer, not a model; run "git lfs pull" in that folder.`,
  );
}
