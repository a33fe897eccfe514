/** The files that `npm run generate` writes: refused early where they cannot be written, named as Storage names them. */
import { open, stat, unlink, writeFile } from 'node:fs/promises';
import { dirname, extname, resolve } from 'node:path';

/** @throws {Error} with a sentence, before anything has been spent on a picture that could not be kept. */
export async function refuseUnwritable(file: string): Promise<void> {
  const path = resolve(file);
  const folder = dirname(path);
  const found = await stat(path).catch(() => undefined);
  if (found?.isDirectory()) throw new Error(`--out: ${path} is a folder; expected the name of a file.`);
  const inFolder = await stat(folder).catch(() => undefined);
  if (!inFolder?.isDirectory()) throw new Error(`--out: the folder ${folder} is not there; make it first.`);
  try {
    // Permissions alone do not tell: a file system may be read-only, or refuse new files.
    await (await open(path, 'a')).close();
    if (found === undefined) await unlink(path);
  } catch (cause) {
    throw new Error(`--out: ${path} cannot be written (${(cause as NodeJS.ErrnoException).code}).`, {
      cause,
    });
  }
}

/** `apple.png`, `apple_1.png`, `apple_2.png` …, as the files are named in Storage. */
export function nthFile(out: string, index: number): string {
  if (index === 0) return out;
  const extension = extname(out);
  return `${out.slice(0, out.length - extension.length)}_${index}${extension}`;
}

/** @throws {Error} when the address does not answer with the file, or the file cannot be written. */
export async function download(url: string, file: string, signal: AbortSignal): Promise<void> {
  const response = await fetch(url, { signal });
  if (!response.ok) {
    throw new Error(
      `The file could not be downloaded: ${response.status} ${response.statusText} from ${url}`,
    );
  }
  await writeFile(file, Buffer.from(await response.arrayBuffer()));
}
