/** Models from the Hugging Face hub: one commit's ONNX files in a cache folder that several workers may share. */

import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join, resolve, sep } from 'node:path';
import { HubApiError, listFiles, modelInfo } from '@huggingface/hub';
import { DiffusionError, throwIfAborted } from '../errors.ts';
import { type DownloadOptions, downloadFile, type FileDownload } from './download-file.ts';

const HUB_ENDPOINT = 'https://huggingface.co';
/** What an ONNX model needs; the same repositories carry the weights for PyTorch, Flax and OpenVINO, at many gigabytes. */
const FOLDERS = [
  'scheduler',
  'tokenizer',
  'tokenizer_2',
  'text_encoder',
  'text_encoder_2',
  'transformer',
  'unet',
  'vae_decoder',
  'vae_encoder',
];
const ROOT_FILES = ['model_index.json', 'model_card.json'];
const FOREIGN_WEIGHTS = /\.(safetensors|bin|msgpack|h5|ckpt|pt|pth|xml)(\.index\.json)?$/;

/** Which model, and where to keep it. */
export interface HubDownload {
  /** `owner/name` on the hub. */
  readonly repository: string;
  /** A branch, tag or commit; `main` when absent. A whole commit hash needs no network once its files are here. */
  readonly revision?: string;
  /** Holds `models--owner--name/{snapshots/<commit>,refs}`. On a volume that workers share, each file is fetched once. */
  readonly cacheFolder: string;
  /** For mirrors and tests; https://huggingface.co when absent. */
  readonly endpoint?: string;
  readonly token?: string;
}

/** How far a model is: bytes of all its files. */
export interface HubProgress {
  /** The file that moved, by its path in the repository. */
  readonly file: string;
  readonly receivedBytes: number;
  readonly totalBytes: number;
}

/** How the download runs. */
export interface HubDownloadOptions extends Omit<DownloadOptions, 'onProgress'> {
  readonly onProgress?: (progress: HubProgress) => void;
}

/** A model on disk. */
export interface HubModel {
  /** Ready for loadStableDiffusionXl or loadWan. */
  readonly folder: string;
  /** The commit that the revision meant. */
  readonly commit: string;
}

interface HubFile {
  readonly path: string;
  readonly size: number;
  readonly oid?: string;
  readonly lfs?: { readonly oid: string; readonly size: number };
}

/**
 * Makes sure that a model's ONNX files are in the cache. When the hub cannot be reached, a branch or tag that was complete before
 * is used as it was, with a warning. Throws `download_failed`, `download_corrupt`, `unsupported`, `aborted`.
 */
export async function downloadHubModel(
  download: HubDownload,
  options: HubDownloadOptions,
): Promise<HubModel> {
  const { repository, revision = 'main' } = download;
  if (!/^[\w.-]+\/[\w.-]+$/.test(repository) || !/^[\w.-]+(\/[\w.-]+)*$/.test(revision)) {
    throw new DiffusionError(
      'download_failed',
      `${JSON.stringify(`${repository}@${revision}`)} does not name a model; expected owner/name and a revision.`,
    );
  }
  const cache = join(resolve(download.cacheFolder), `models--${repository.replace('/', '--')}`);
  const commit = await resolveCommit(download, revision, cache, options);
  const folder = join(cache, 'snapshots', commit);
  if (!(await exists(completeMarkOf(folder)))) {
    await downloadSnapshot(download, commit, folder, options);
    await writeAtomically(completeMarkOf(folder), commit);
  }
  await writeAtomically(join(cache, 'refs', encodeURIComponent(revision)), commit);
  return { folder, commit };
}

async function resolveCommit(
  download: HubDownload,
  revision: string,
  cache: string,
  { signal, logger }: HubDownloadOptions,
): Promise<string> {
  if (/^[0-9a-f]{40}$/.test(revision) && (await exists(completeMarkOf(join(cache, 'snapshots', revision))))) {
    return revision;
  }
  try {
    const { sha } = await modelInfo({
      name: download.repository,
      revision,
      additionalFields: ['sha'],
      ...hubParametersOf(download, signal),
    });
    if (!/^[0-9a-f]{40}$/.test(sha)) throw new Error(`The hub names the commit ${JSON.stringify(sha)}.`);
    return sha;
  } catch (error) {
    throwIfAborted(signal);
    const isRefusal = error instanceof HubApiError && error.statusCode < 500 && error.statusCode !== 429;
    const known = isRefusal ? undefined : await readRef(cache, revision);
    if (known === undefined) throw hubErrorOf(download, error);
    logger?.warn(
      { repository: download.repository, revision, commit: known },
      'hub not reachable; the cached model is used',
    );
    return known;
  }
}

async function downloadSnapshot(
  download: HubDownload,
  commit: string,
  folder: string,
  options: HubDownloadOptions,
): Promise<void> {
  const { repository, endpoint = HUB_ENDPOINT, token } = download;
  const files = await listModelFiles(download, commit, options.signal);
  const totalBytes = files.reduce((sum, file) => sum + file.size, 0);
  let finishedBytes = 0;
  for (const file of files) {
    const { onProgress } = options;
    const url = `${endpoint}/${repository}/resolve/${commit}/${file.path.split('/').map(encodeURIComponent).join('/')}`;
    const request: FileDownload = {
      url,
      path: pathWithin(folder, file.path),
      sizeBytes: file.size,
      // Small files are plain git objects, large ones are kept by their SHA-256.
      hash: file.lfs
        ? { algorithm: 'sha256', hex: file.lfs.oid }
        : { algorithm: 'git-sha1', hex: file.oid ?? '' },
      ...(token ? { headers: { authorization: `Bearer ${token}` } } : {}),
    };
    await downloadFile(request, {
      ...options,
      onProgress: (bytes) =>
        onProgress?.({ file: file.path, receivedBytes: finishedBytes + bytes, totalBytes }),
    });
    finishedBytes += file.size;
  }
}

async function listModelFiles(
  download: HubDownload,
  commit: string,
  signal: AbortSignal,
): Promise<HubFile[]> {
  const files: HubFile[] = [];
  try {
    const listing = listFiles({
      repo: { type: 'model', name: download.repository },
      revision: commit,
      recursive: true,
      ...hubParametersOf(download, signal),
    });
    for await (const entry of listing) {
      if (entry.type === 'file' && isModelFile(entry.path)) files.push(entry);
    }
  } catch (error) {
    throwIfAborted(signal);
    throw hubErrorOf(download, error);
  }
  if (!files.some(({ path }) => path.endsWith('.onnx'))) {
    throw new DiffusionError(
      'unsupported',
      `${download.repository} holds no ONNX graphs in the diffusers layout; export it first (models/export).`,
    );
  }
  // Small ones first: a folder that lacks a setting is found out before gigabytes were fetched.
  return files.sort((one, other) => one.size - other.size);
}

function isModelFile(path: string): boolean {
  if (ROOT_FILES.includes(path) || path === 'refiner/model_index.json') return true;
  // A refiner may lie in a folder of its own beside the base model's.
  const [folder, ...rest] = path.replace(/^refiner\//, '').split('/');
  return FOLDERS.includes(folder!) && rest.length > 0 && !FOREIGN_WEIGHTS.test(path);
}

/** The token goes by a header of our own, because the hub's client takes only tokens that begin with `hf_`. */
function hubParametersOf({ endpoint = HUB_ENDPOINT, token }: HubDownload, signal: AbortSignal) {
  const authorized: typeof fetch = (input, init) => {
    const headers = new Headers(init?.headers);
    if (token) headers.set('authorization', `Bearer ${token}`);
    return fetch(input, { ...init, headers, signal });
  };
  return { hubUrl: endpoint, fetch: authorized };
}

function hubErrorOf({ repository, revision = 'main', token }: HubDownload, cause: unknown): DiffusionError {
  const status = cause instanceof HubApiError ? cause.statusCode : undefined;
  const reason =
    status === 401 || status === 403 || status === 404
      ? `it does not exist or ${token ? 'the access token has no rights to it' : 'it needs an access token'} (${status})`
      : status
        ? `the hub answered ${status}`
        : 'the hub cannot be reached';
  return new DiffusionError('download_failed', `${repository}@${revision} cannot be read: ${reason}.`, {
    cause,
  });
}

/** Refuses paths that would leave the folder: a listing is foreign data. */
function pathWithin(folder: string, path: string): string {
  const target = resolve(folder, path);
  if (target.startsWith(folder + sep)) return target;
  throw new DiffusionError(
    'download_failed',
    `The hub lists a file outside of its folder: ${JSON.stringify(path)}.`,
  );
}

function completeMarkOf(folder: string): string {
  return `${folder}.complete`;
}

async function readRef(cache: string, revision: string): Promise<string | undefined> {
  const commit = await readFile(join(cache, 'refs', encodeURIComponent(revision)), 'utf8').catch(
    () => undefined,
  );
  return commit && (await exists(completeMarkOf(join(cache, 'snapshots', commit)))) ? commit : undefined;
}

async function exists(path: string): Promise<boolean> {
  return (await readFile(path).catch(() => undefined)) !== undefined;
}

async function writeAtomically(path: string, text: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  const draft = `${path}.${process.pid}.${performance.now()}`;
  try {
    await writeFile(draft, text);
    await rename(draft, path);
  } finally {
    await rm(draft, { force: true });
  }
}
