/** Reads the small files of a model folder, so that each failure names the file. */

import { readFile, stat } from 'node:fs/promises';
import { DiffusionError } from './errors.ts';

/** Whether a regular file is there. */
export async function fileExists(path: string): Promise<boolean> {
  const entry = await stat(path).catch(() => undefined);
  return entry?.isFile() ?? false;
}

/** Reads UTF-8 text; throws `model_folder_invalid` naming the path. */
export async function readTextFile(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (cause) {
    throw new DiffusionError('model_folder_invalid', `${path} cannot be read.`, { cause });
  }
}

/** Reads a JSON object; throws `model_folder_invalid` naming the path when it is absent, not JSON or not an object. */
export async function readJsonFile(path: string): Promise<Record<string, unknown>> {
  const text = await readTextFile(path);
  let value: unknown;
  try {
    value = JSON.parse(withoutPythonNumbers(text));
  } catch (cause) {
    throw new DiffusionError('model_folder_invalid', `${path} is not valid JSON.`, { cause });
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new DiffusionError('model_folder_invalid', `${path} must hold a JSON object.`);
  }
  return value as Record<string, unknown>;
}

/**
 * Python writes infinities and NaN as bare words, which no JSON parser takes: diffusers' DPM-Solver configs carry
 * `"lambda_min_clipped": -Infinity`. They become null, which everywhere means the default.
 */
function withoutPythonNumbers(text: string): string {
  return text.replace(/"(?:[^"\\]|\\.)*"|-?Infinity|NaN/g, (token) =>
    token.startsWith('"') ? token : 'null',
  );
}
