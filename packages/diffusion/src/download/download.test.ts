import { createHash, randomBytes } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type HubServer, startHubServer } from '../../fixtures/hub-server.ts';
import { downloadFile, type FileDownload } from './download-file.ts';
import { downloadHubModel, type HubProgress } from './hub.ts';

const signal = new AbortController().signal;
const options = {
  signal,
  retryDelaysMs: [1, 1, 1],
  lockTiming: { heartbeatMs: 10, staleMs: 200, pollMs: 10 },
};
const cutting = { ...options, onProgress: (bytes: number) => hub.cut(bytes) };
const content = randomBytes(300_000);

let hub: HubServer;
let folder: string;
let download: FileDownload;
beforeEach(async () => {
  hub = await startHubServer();
  hub.files.set('unet/model.onnx', content);
  hub.files.set('model_index.json', Buffer.from('{"_class_name": "StableDiffusionXLPipeline"}'));
  hub.files.set('tokenizer/merges.txt', Buffer.alloc(0));
  hub.files.set('unet/diffusion_pytorch_model.safetensors', randomBytes(10));
  hub.files.set('README.md', Buffer.from('read me'));
  folder = await mkdtemp(join(tmpdir(), 'firepod-download-'));
  download = {
    url: `${hub.endpoint}/org/model/resolve/${hub.commit}/unet/model.onnx?token=hidden`,
    path: join(folder, 'deep', 'model.onnx'),
    sizeBytes: content.length,
    hash: { algorithm: 'sha256', hex: createHash('sha256').update(content).digest('hex') },
    headers: { authorization: 'Bearer t0ken' },
  };
});
afterEach(async () => {
  await hub.close();
  await rm(folder, { recursive: true });
});

/** Not by toEqual, which takes seconds for this many bytes. */
const isContent = async (path: string) => content.equals(await readFile(path));
const leftovers = async () => (await readdir(join(folder, 'deep'))).filter((name) => name !== 'model.onnx');
const rangesOfCdn = () => hub.requests.filter(({ host }) => host === 'cdn').map(({ range }) => range);

/** Waits until so many requests have reached the CDN. */
const seenByCdn = (count: number) => expect.poll(() => rangesOfCdn().length, { timeout: 15_000 }).toBe(count);

describe('downloadFile', () => {
  it('fetches through the redirect, keeps the token from the other host, and leaves only the file', async () => {
    const progress: number[] = [];
    await downloadFile(download, { ...options, onProgress: (bytes) => progress.push(bytes) });
    expect(await isContent(download.path)).toBe(true);
    expect(await leftovers()).toEqual([]);
    expect(hub.requests.map(({ host, authorization }) => [host, authorization])).toEqual([
      ['hub', 'Bearer t0ken'],
      ['cdn', undefined],
    ]);
    expect(progress.at(-1)).toBe(content.length);
    expect(progress).toEqual([...progress].sort((one, other) => one - other));

    await downloadFile(download, options);
    expect(hub.requests).toHaveLength(2);
  });

  it('goes on where the connection was cut, as often as it takes', async () => {
    for (let cut = 0; cut < 6; cut++) hub.faults.push({ type: 'cut', afterBytes: 40_000 });
    await downloadFile(download, cutting);
    expect(await isContent(download.path)).toBe(true);
    // More cuts than retries are allowed without progress.
    const offsets = rangesOfCdn().map((range) => Number(range?.match(/\d+/)?.[0] ?? 0));
    expect(offsets).toEqual([0, 40_000, 80_000, 120_000, 160_000, 200_000, 240_000]);
  });

  it('goes on where an earlier process stopped', async () => {
    const stop = new AbortController();
    hub.faults.push({ type: 'cut', afterBytes: 100_000 }, { type: 'stall' });
    const run = downloadFile(download, { ...cutting, signal: stop.signal });
    const ending = expect(run).rejects.toMatchObject({ code: 'aborted' });
    await seenByCdn(2);
    stop.abort();
    await ending;
    expect(await leftovers()).toEqual(['model.onnx.part']);
    await downloadFile(download, options);
    expect(rangesOfCdn().at(-1)).toBe('bytes=100000-');
    expect(await isContent(download.path)).toBe(true);
  });

  it('starts over when the server does not know ranges, and when the resumed beginning was bad', async () => {
    hub.faults.push({ type: 'cut', afterBytes: 50_000 }, { type: 'ignore-range' });
    await downloadFile(download, cutting);
    expect(await isContent(download.path)).toBe(true);

    await rm(download.path);
    await writeFile(`${download.path}.part`, randomBytes(1000));
    await downloadFile(download, options);
    expect(await isContent(download.path)).toBe(true);
    expect(rangesOfCdn().slice(-2)).toEqual(['bytes=1000-', undefined]);
  });

  it('waits and tries again when asked to slow down, when the server fails and when nothing arrives', async () => {
    hub.faults.push(
      { type: 'status', status: 429, headers: { 'retry-after': '0' } },
      { type: 'status', status: 503 },
      { type: 'stall' },
    );
    const patient = { ...options, retryDelaysMs: Array.from({ length: 10 }, () => 1) };
    await downloadFile(download, { ...patient, idleTimeoutMs: 300 });
    expect(await isContent(download.path)).toBe(true);
    expect(rangesOfCdn().length).toBeGreaterThanOrEqual(4);
  });

  it('refuses other bytes than promised and keeps none of them', async () => {
    hub.faults.push({ type: 'other-bytes' });
    await expect(downloadFile(download, options)).rejects.toMatchObject({
      code: 'download_corrupt',
      message: expect.stringMatching(/model\.onnx is not what was promised: 300000 bytes with sha256 /),
    });
    expect(await readdir(join(folder, 'deep'))).toEqual([]);
  });

  it('gives up on what stays wrong, without the query of the URL in its words', async () => {
    for (let attempt = 0; attempt < 4; attempt++) hub.faults.push({ type: 'status', status: 500 });
    await expect(downloadFile(download, options)).rejects.toMatchObject({
      code: 'download_failed',
      message: expect.stringMatching(
        /^http:\/\/127\.0\.0\.1:\d+\/[^?]*model\.onnx could not .* answered 500\.$/,
      ),
    });
    hub.faults.push({ type: 'status', status: 403 });
    await expect(downloadFile(download, options)).rejects.toThrow(/answered 403; an access token/);
    await hub.close();
    await expect(downloadFile(download, options)).rejects.toMatchObject({ code: 'download_failed' });
    hub = await startHubServer();
  });

  it('lets two workers that want the same file fetch it once', async () => {
    const second = { ...options, onProgress: () => {} };
    await Promise.all([downloadFile(download, options), downloadFile(download, second)]);
    expect(await isContent(download.path)).toBe(true);
    expect(rangesOfCdn()).toHaveLength(1);
    expect(await leftovers()).toEqual([]);
  });

  it('takes over the lock of a worker that died, and waits for one that lives', async () => {
    hub.faults.push({ type: 'stall' });
    const slow = new AbortController();
    const first = downloadFile(download, { ...options, signal: slow.signal });
    // Only now is it sure which of the two has the lock.
    await seenByCdn(1);
    const second = downloadFile(download, options);
    // Twice as long as a dead lock lives.
    await new Promise((resolve) => setTimeout(resolve, 400));
    expect(rangesOfCdn()).toHaveLength(1);
    slow.abort();
    await expect(first).rejects.toMatchObject({ code: 'aborted' });
    await second;
    await rm(download.path);
    await writeFile(`${download.path}.lock`, 'left behind 7');
    await Promise.all([downloadFile(download, options), downloadFile(download, options)]);
    expect(await isContent(download.path)).toBe(true);
    expect(await leftovers()).toEqual([]);
  });
});

describe('downloadHubModel', () => {
  const model = () => ({
    repository: 'org/model',
    cacheFolder: folder,
    endpoint: hub.endpoint,
    token: 't0ken',
  });

  it('puts the ONNX files of the revision in a folder of its commit, and no other weights', async () => {
    const progress: HubProgress[] = [];
    const result = await downloadHubModel(model(), { ...options, onProgress: (step) => progress.push(step) });
    expect(result).toEqual({
      folder: join(folder, 'models--org--model', 'snapshots', hub.commit),
      commit: hub.commit,
    });
    const names = await readdir(result.folder, { recursive: true });
    expect(names.sort()).toEqual(
      ['model_index.json', 'tokenizer', 'tokenizer/merges.txt', 'unet', 'unet/model.onnx'].sort(),
    );
    expect((await stat(join(result.folder, 'unet/model.onnx'))).size).toBe(content.length);
    const { receivedBytes, totalBytes } = progress.at(-1)!;
    expect(receivedBytes).toBe(totalBytes);
    expect(
      hub.requests.every(
        ({ host, authorization }) => authorization === (host === 'hub' ? 'Bearer t0ken' : undefined),
      ),
    ).toBe(true);
  });

  it('takes the parts of video models and of a refiner in a folder of its own', async () => {
    const wanted = [
      'transformer/model.onnx',
      'transformer/model.onnx_data',
      'refiner/model_index.json',
      'refiner/unet/config.json',
    ];
    const others = ['transformer/model.safetensors', 'other/model.onnx', 'refiner/README.md'];
    for (const name of [...wanted, ...others]) hub.files.set(name, Buffer.from(name));
    const { folder: snapshot } = await downloadHubModel(model(), options);
    const names = await readdir(snapshot, { recursive: true });
    expect(names).toEqual(expect.arrayContaining(wanted));
    for (const name of others) expect(names).not.toContain(name);
  });

  it('needs the hub for a branch once, and for a commit that is complete not at all', async () => {
    await downloadHubModel(model(), options);
    const before = hub.requests.length;
    await downloadHubModel({ ...model(), revision: hub.commit }, options);
    expect(hub.requests).toHaveLength(before);

    hub.hubStatus = 503;
    const warnings: unknown[] = [];
    const warn = (fields: unknown) => void warnings.push(fields);
    const logger = { debug: () => {}, info: () => {}, warn, error: () => {} };
    expect((await downloadHubModel(model(), { ...options, logger })).commit).toBe(hub.commit);
    expect(warnings).toHaveLength(1);
    await expect(downloadHubModel({ ...model(), revision: 'v1' }, options)).rejects.toThrow(
      /the hub answered 503/,
    );
  });

  it('finishes what a broken run began', async () => {
    hub.faults.push(
      { type: 'cut', afterBytes: 1000 },
      ...Array.from({ length: 4 }, () => ({ type: 'status', status: 500 }) as const),
    );
    const onProgress = ({ receivedBytes, totalBytes }: HubProgress) =>
      hub.cut(receivedBytes - (totalBytes - content.length));
    await expect(downloadHubModel(model(), { ...options, onProgress })).rejects.toMatchObject({
      code: 'download_failed',
    });
    const { folder: snapshot } = await downloadHubModel(model(), options);
    expect(await isContent(join(snapshot, 'unet/model.onnx'))).toBe(true);
    expect(rangesOfCdn().at(-1)).toBe('bytes=1000-');
  });

  it('checks small files by their git hash', async () => {
    hub.wrongHashes.add('model_index.json');
    await expect(downloadHubModel(model(), options)).rejects.toMatchObject({
      code: 'download_corrupt',
      message: expect.stringMatching(/model_index\.json is not what was promised: 44 bytes with git-sha1/),
    });
  });

  it('names what it cannot read', async () => {
    const absent = downloadHubModel({ ...model(), revision: 'gone' }, options);
    await expect(absent).rejects.toThrow(
      /org\/model@gone cannot be read: it does not exist or the access token has no rights/,
    );
    await expect(downloadHubModel({ ...model(), repository: 'model' }, options)).rejects.toThrow(
      /expected owner\/name/,
    );
    await expect(downloadHubModel({ ...model(), repository: 'org/../x' }, options)).rejects.toThrow(
      /expected owner/,
    );
    hub.files.delete('unet/model.onnx');
    await expect(downloadHubModel(model(), options)).rejects.toMatchObject({ code: 'unsupported' });
  });

  it('refuses a listing that leads out of the folder', async () => {
    hub.extraEntries.push({ type: 'file', path: 'unet/../../../../evil', size: 1, oid: '0'.repeat(40) });
    await expect(downloadHubModel(model(), options)).rejects.toThrow(/outside of its folder/);
  });
});
