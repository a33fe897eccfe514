import { spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { describeThrown } from '../../errors.ts';
import { type Manifest, readManifest } from './manifest.ts';
import { ensureWeights, type WeightsOptions } from './weights.ts';

const SHIPPED = fileURLToPath(new URL('../../../../../models/manifests', import.meta.url));
const PIN_MANIFEST = join(SHIPPED, 'pin-manifest.mjs');
const sha256Of = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex');

describe('the weights of a model', () => {
  const content = { model: randomBytes(200_000), vae: randomBytes(1000) };
  let folder: string;
  let hub: Server;
  let origin: string;
  /** Method, path and range of every request. */
  let requests: string[];
  /** Ends the next answer after so many bytes. */
  let cutAfterBytes: number | undefined;
  let manifest: Manifest;
  let options: WeightsOptions;
  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'firepod-weights-'));
    requests = [];
    cutAfterBytes = undefined;
    hub = createServer((request, response) => {
      const { range = '' } = request.headers;
      requests.push([request.method, request.url, range].join(' ').trim());
      const body = content[request.url?.slice(1) as keyof typeof content];
      if (!body) {
        response.writeHead(404).end();
        return;
      }
      if (request.method === 'HEAD') {
        const headers = {
          'x-linked-etag': `"${sha256Of(body)}"`,
          'x-linked-size': body.length,
          location: '/cdn',
        };
        response.writeHead(302, headers).end();
        return;
      }
      const start = Number(/bytes=(\d+)-/.exec(range)?.[1] ?? 0);
      response.writeHead(start > 0 ? 206 : 200, {
        'content-length': body.length - start,
        ...(start > 0 && { 'content-range': `bytes ${start}-${body.length - 1}/${body.length}` }),
      });
      if (cutAfterBytes === undefined) {
        response.end(body.subarray(start));
        return;
      }
      response.write(body.subarray(start, cutAfterBytes), () => setTimeout(() => response.destroy(), 50));
      cutAfterBytes = undefined;
    });
    await new Promise<void>((resolve) => hub.listen(0, '127.0.0.1', resolve));
    origin = `http://127.0.0.1:${(hub.address() as AddressInfo).port}`;
    const shipped = await readManifest('sdxl-base-1.0', SHIPPED);
    manifest = {
      ...shipped,
      files: (['model', 'vae'] as const).map((role) => ({
        role,
        path: `test/${role}.safetensors`,
        url: `${origin}/${role}`,
        size_bytes: content[role].length,
        sha256: sha256Of(content[role]),
        licence: 'MIT',
      })),
    };
    options = {
      folder: join(folder, 'weights'),
      signal: new AbortController().signal,
      onNote: () => {},
      retryDelaysMs: [1, 1],
      lockTiming: { heartbeatMs: 10, staleMs: 500, pollMs: 10 },
    };
  });
  afterEach(async () => {
    hub.closeAllConnections();
    await new Promise((resolve) => hub.close(resolve));
    rmSync(folder, { recursive: true });
  });

  it('are fetched by workers that start together once, resumed where the connection was cut, and noted', async () => {
    cutAfterBytes = 60_000;
    const notes: Record<string, string | number>[] = [];
    const [first, second] = await Promise.all([
      ensureWeights(manifest, { ...options, onNote: (_, fields) => notes.push(fields) }),
      ensureWeights(manifest, options),
    ]);
    expect(requests).toHaveLength(3);
    expect(requests.filter((line) => line.startsWith('GET /model'))[1]).toMatch(/bytes=\d+-$/);
    expect(first).toEqual(second);
    expect(readFileSync(first.paths.get('model')!).equals(content.model)).toBe(true);
    expect(first.sha256).toMatch(/^[0-9a-f]{64}$/);
    expect((await readdir(join(folder, 'weights/test'))).sort()).toEqual([
      'model.safetensors',
      'vae.safetensors',
    ]);
    for (const note of notes) expect(note).toMatchObject({ model: 'sdxl-base-1.0', totalBytes: 201_000 });
  });

  it('are refused with other bytes than the manifest promises', async () => {
    const [file, ...others] = manifest.files as [Manifest['files'][0]];
    const forged = { ...manifest, files: [{ ...file, sha256: sha256Of(content.vae) }, ...others] };
    const error = await ensureWeights(forged, options).catch((thrown) => thrown);
    expect(error).toMatchObject({ code: 'model_not_available' });
    expect(describeThrown(error)).toMatch(/is not what was promised/);
    expect(error.message).not.toContain(origin);
  });

  it('need a folder that may be written, and stop when nobody waits for them', async () => {
    writeFileSync(join(folder, 'file'), '');
    const error = await ensureWeights(manifest, { ...options, folder: join(folder, 'file/x') }).catch(
      (thrown) => thrown,
    );
    expect(describeThrown(error)).toMatch(/FIREPOD_WEIGHTS_FOLDER .* network volume/);
    const stopped = AbortSignal.abort(new Error('The worker ends.'));
    await expect(ensureWeights(manifest, { ...options, signal: stopped })).rejects.toThrow(
      'The worker ends.',
    );
  });

  /** Runs the command beside the hub, which answers in this process. */
  async function pin(path: string): Promise<{ code: number | null; output: string }> {
    const child = spawn(process.execPath, [PIN_MANIFEST, path], { stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (text) => (output += text));
    const code = await new Promise<number | null>((resolve) => child.once('close', resolve));
    return { code, output };
  }

  it('are filled in and checked by pin-manifest.mjs, which fetches none of them', async () => {
    const path = join(folder, 'manifest.json');
    const write = (changes: object) =>
      writeFileSync(
        path,
        JSON.stringify({ ...manifest, files: manifest.files.map((file) => ({ ...file, ...changes })) }),
      );
    write({ size_bytes: null, sha256: null });
    expect(await pin(path)).toMatchObject({ code: 0, output: expect.stringContaining('2 files filled in') });
    expect(JSON.parse(readFileSync(path, 'utf8')).files).toEqual(manifest.files);
    expect(requests).toEqual(['HEAD /model', 'HEAD /vae']);

    write({ size_bytes: 7 });
    expect(await pin(path)).toMatchObject({
      code: 1,
      output: expect.stringMatching(/size_bytes 7, but the hub says 200000/),
    });
    write({ url: `${origin}/absent` });
    expect(await pin(path)).toMatchObject({ code: 1, output: expect.stringMatching(/absent answered 404/) });
  });
});
