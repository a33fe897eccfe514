#!/usr/bin/env node
/**
 * Fills the sizes and SHA-256 hashes of a manifest in, as the Hugging Face hub tells them for large files, and checks those
 * that are there: node models/manifests/pin-manifest.mjs models/manifests/sdxl-base-1.0.json ...
 */
import { readFile, writeFile } from 'node:fs/promises';

const ANSWER_TIMEOUT_MS = 30_000;

/**
 * What the hub says about the file behind a URL; nothing of the file itself is fetched.
 * @param {string} url a `resolve` address of the hub
 * @returns {Promise<{sizeBytes: number, sha256: string}>}
 * @throws {Error} when the hub does not know the file, or keeps it without a SHA-256 (small files have git's hash)
 */
async function askHub(url) {
  const headers = process.env.HF_TOKEN ? { authorization: `Bearer ${process.env.HF_TOKEN}` } : {};
  const signal = AbortSignal.timeout(ANSWER_TIMEOUT_MS);
  // The answer of interest is the redirect to the file, not the file.
  const { status, headers: answer } = await fetch(url, {
    method: 'HEAD',
    redirect: 'manual',
    headers,
    signal,
  });
  if (status >= 400) throw new Error(`${url} answered ${status}.`);
  const sha256 = /^"?([0-9a-f]{64})"?$/.exec(answer.get('x-linked-etag') ?? '')?.[1];
  const sizeBytes = Number(answer.get('x-linked-size') ?? Number.NaN);
  if (!sha256 || !Number.isSafeInteger(sizeBytes))
    throw new Error(`${url} is no large file: the hub tells no SHA-256.`);
  return { sizeBytes, sha256 };
}

/**
 * @param {string} path a manifest
 * @throws {Error} when a file is not what the manifest says; the manifest is left as it was
 */
async function pinManifest(path) {
  const manifest = JSON.parse(await readFile(path, 'utf8'));
  let isChanged = false;
  for (const file of manifest.files) {
    const { sizeBytes, sha256 } = await askHub(file.url);
    for (const [name, actual] of [
      ['size_bytes', sizeBytes],
      ['sha256', sha256],
    ]) {
      if (file[name] === actual) continue;
      if (file[name] !== null)
        throw new Error(`${path}: ${file.path} has ${name} ${file[name]}, but the hub says ${actual}.`);
      file[name] = actual;
      isChanged = true;
    }
  }
  if (isChanged) await writeFile(path, `${JSON.stringify(manifest, null, 2)}\n`);
  console.log(`${path}: ${manifest.files.length} files ${isChanged ? 'filled in' : 'as the hub has them'}.`);
}

const paths = process.argv.slice(2);
try {
  if (paths.length === 0) throw new Error('Expected the paths of manifests.');
  for (const path of paths) await pinManifest(path);
} catch (error) {
  console.error(error.cause ? `${error.message} (${error.cause.message})` : error.message);
  process.exitCode = 1;
}
