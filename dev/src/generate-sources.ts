/** The files that `npm run generate` starts from: `--image` and `--mask`, uploaded as an app's user would. */
import { readFile } from 'node:fs/promises';
import { extname } from 'node:path';
import type { FirepodClient } from '@firepod/client';

/** What `--image` and `--mask` name: files, or addresses that the request takes as they are. */
export interface NamedSources {
  image?: string;
  mask?: string;
}

const typeByExtension: Record<string, string> = {
  '.png': 'image/png',
  '.jpg': 'image/jpeg',
  '.jpeg': 'image/jpeg',
  '.webp': 'image/webp',
};

/** @throws {Error} with a sentence for a file that cannot be read or is of another kind, before anything is started. */
export async function readSources(named: NamedSources): Promise<Record<string, Blob | string>> {
  const fields: Record<string, Blob | string> = {};
  for (const option of ['image', 'mask'] as const) {
    const value = named[option];
    if (value !== undefined) fields[`${option}_url`] = await readSource(option, value);
  }
  return fields;
}

async function readSource(option: string, value: string): Promise<Blob | string> {
  if (/^(?:https?|gs|data):/.test(value)) return value;
  const type = typeByExtension[extname(value).toLowerCase()];
  if (type === undefined) throw new Error(`--${option}: ${value} is no .png, .jpg or .webp file.`);
  try {
    return new Blob([new Uint8Array(await readFile(value))], { type });
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    throw new Error(`--${option}: ${value} cannot be read (${code}).`, { cause });
  }
}

/** The fields of the request, with files uploaded. */
export async function uploadSources(
  client: FirepodClient,
  sources: Record<string, Blob | string>,
): Promise<Record<string, string>> {
  const uploaded = Object.entries(sources).map(async ([field, source]) => [
    field,
    typeof source === 'string' ? source : await client.uploadSource(source),
  ]);
  return Object.fromEntries(await Promise.all(uploaded));
}
