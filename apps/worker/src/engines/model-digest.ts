/** A digest of a model's files, so that a recipe can say exactly which weights painted a picture. */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join, relative, sep } from 'node:path';

/** Files that decide pixels: graphs, their external weights, configurations and tokenizers. */
const DECIDING = /\.(onnx|onnx_data|data|json|txt|model)$/;
const NOT_DECIDING = new Set(['model_card.json']);

/** Large enough that reading, not JavaScript, sets the pace. */
const READ_BYTES = 4 * 1024 * 1024;

/**
 * SHA-256, in hex, of what `sha256sum` prints for the model's files sorted by name:
 * `find . -regextype egrep -regex '.*\.(onnx|onnx_data|data|json|txt|model)' ! -path ./model_card.json -printf '%P\n' |
 * LC_ALL=C sort | xargs sha256sum | sha256sum`.
 */
export async function modelDigest(folder: string): Promise<string> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const names = entries
    .filter((entry) => entry.isFile() || entry.isSymbolicLink())
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)).split(sep).join('/'))
    .filter((name) => DECIDING.test(name) && !NOT_DECIDING.has(name))
    .sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
  const digest = createHash('sha256');
  for (const name of names) digest.update(`${await fileDigest(join(folder, name))}  ${name}\n`);
  return digest.digest('hex');
}

async function fileDigest(path: string): Promise<string> {
  const digest = createHash('sha256');
  for await (const chunk of createReadStream(path, { highWaterMark: READ_BYTES })) digest.update(chunk);
  return digest.digest('hex');
}
