import { type ChildProcess, spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { Storage } from '@google-cloud/storage';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { silentLogger } from '../logger.ts';
import { type RunningStorage, startStorage } from './server.ts';

const bytes = randomBytes(300_000);
const half = bytes.length / 2;
let folder: string;
let child: ChildProcess | undefined;
let server: RunningStorage | undefined;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'storage-durable-'));
});

afterEach(async () => {
  child?.kill('SIGKILL');
  await server?.close();
  server = undefined;
  rmSync(folder, { recursive: true });
});

const options = () => ({ port: 0, projectId: 'demo', dataFolder: folder, buckets: { 'demo.app': {} } });

/** Storage in a process of its own, which can be killed. Returns its URL. */
async function startChild(): Promise<string> {
  const program = `
    const { startStorage } = await import(${JSON.stringify(join(import.meta.dirname, 'server.ts'))});
    const { url } = await startStorage(${JSON.stringify(options())});
    process.stdout.write(url);`;
  const args = ['--import', 'tsx', '--conditions=source', '--input-type=module', '--eval', program];
  child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const [url] = (await once(child.stdout!, 'data')) as [Buffer];
  return url.toString();
}

async function killChild(): Promise<void> {
  const ended = once(child!, 'exit');
  child!.kill('SIGKILL');
  await ended;
}

/** Sends headers and half of the bytes, and leaves the request open. */
async function sendHalf(url: string, method: string, headers: Record<string, string>) {
  const sent = request(url, { method, headers: { 'content-length': String(bytes.length), ...headers } });
  sent.on('error', () => {});
  sent.write(bytes.subarray(0, half));
  return sent;
}

const objects = (url: string) => `${url}/storage/v1/b/demo.app/o`;
const uploads = (url: string, query: string) => `${url}/upload/storage/v1/b/demo.app/o?${query}`;
const filesIn = (name: string) =>
  readdirSync(join(folder, name), { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
const bytesIn = (name: string) =>
  filesIn(name).reduce((sum, { path, name: file }) => sum + statSync(join(path, file)).size, 0);

async function downloaded(url: string, name: string): Promise<Buffer> {
  const answer = await fetch(`${objects(url)}/${name}?alt=media`);
  expect(answer.status).toBe(200);
  return Buffer.from(await answer.arrayBuffer());
}

describe('Storage after kill -9', () => {
  test('has every upload that was acknowledged, and nothing of those that were not', async () => {
    const url = await startChild();
    for (const name of ['a', 'b', 'c']) {
      const answer = await fetch(uploads(url, `uploadType=media&name=${name}`), {
        method: 'POST',
        body: bytes,
      });
      expect(answer.status).toBe(200);
    }
    await sendHalf(uploads(url, 'uploadType=media&name=half'), 'POST', {});
    await expect.poll(() => bytesIn('uploads')).toBe(half);
    await killChild();

    server = await startStorage(options());
    const list = (await (await fetch(objects(server.url))).json()) as { items: { name: string }[] };
    expect(list.items.map(({ name }) => name)).toEqual(['a', 'b', 'c']);
    for (const name of ['a', 'b', 'c']) expect((await downloaded(server.url, name)).equals(bytes)).toBe(true);
    expect([filesIn('uploads').length, filesIn('objects').length]).toEqual([0, 3]);
  });

  test('a resumable upload goes on with what had arrived', async () => {
    const url = await startChild();
    const start = await fetch(uploads(url, 'uploadType=resumable&name=large&ifGenerationMatch=0'), {
      method: 'POST',
      body: '{"contentType":"image/png"}',
    });
    const location = start.headers.get('location') ?? '';
    await sendHalf(location, 'PUT', { 'content-range': `bytes 0-${bytes.length - 1}/${bytes.length}` });
    const status = async (at: string) =>
      fetch(at, { method: 'PUT', headers: { 'content-range': `bytes */${bytes.length}` } });
    await expect.poll(() => bytesIn('uploads')).toBe(half);
    await killChild();

    server = await startStorage(options());
    const again = location.replace(url, server.url);
    const answer = await status(again);
    expect(answer.status).toBe(308);
    const received = Number(answer.headers.get('range')?.split('-')[1] ?? -1) + 1;
    expect(received).toBe(half);
    // A range that overlaps what has arrived is taken too.
    const from = received - 1000;
    const rest = await fetch(again, {
      method: 'PUT',
      headers: { 'content-range': `bytes ${from}-${bytes.length - 1}/${bytes.length}` },
      body: bytes.subarray(from),
    });
    expect(rest.status).toBe(200);
    expect((await downloaded(server.url, 'large')).equals(bytes)).toBe(true);
    const finished = await status(again);
    expect(await finished.json()).toMatchObject({ name: 'large', contentType: 'image/png' });
  });
});

test('the Google Cloud client goes on with an upload after kill -9 and a start on the same port', async () => {
  const url = await startChild();
  const file = new Storage({ projectId: 'demo', apiEndpoint: url }).bucket('demo.app').file('resumed.bin');
  const [uri] = await file.createResumableUpload({ metadata: { contentType: 'image/png' } });
  const chunkSize = 256 * 1024;
  const large = randomBytes(3 * chunkSize + 1000);
  const first = { uri, chunkSize, resumable: true, isPartialUpload: true, validation: false };
  await pipeline(Readable.from([large.subarray(0, 2 * chunkSize)]), file.createWriteStream(first));
  await killChild();
  server = await startStorage({ ...options(), port: Number(new URL(url).port) });
  const rest = { uri, offset: 2 * chunkSize, resumable: true, validation: false };
  await pipeline(Readable.from([large.subarray(2 * chunkSize)]), file.createWriteStream(rest));
  expect((await file.download({ validation: 'md5' }))[0].equals(large)).toBe(true);
  expect((await file.getMetadata())[0].contentType).toBe('image/png');
});

describe('Storage', () => {
  test('keeps objects, ACLs, tokens and generations over a restart', async () => {
    server = await startStorage(options());
    const upload = uploads(server.url, 'uploadType=media&name=kept&predefinedAcl=publicRead');
    const before = (await (await fetch(upload, { method: 'POST', body: bytes })).json()) as object;
    await server.close();
    server = await startStorage({ ...options(), port: server.port });
    const after = (await (await fetch(`${objects(server.url)}/kept`)).json()) as object;
    expect(after).toEqual(before);
    expect((await fetch(`${server.url}/demo.app/kept`)).status).toBe(200);
  });

  test('shows nothing of an upload that its client broke off, and takes it for no fault of its own', async () => {
    const failures: string[] = [];
    const logger = { ...silentLogger, error: (_fields: object, message: string) => failures.push(message) };
    server = await startStorage({ ...options(), logger });
    for (const query of ['uploadType=media&name=half', 'uploadType=multipart&name=half']) {
      const type = 'multipart/related; boundary=b';
      const sent = await sendHalf(uploads(server.url, query), 'POST', { 'content-type': type });
      sent.destroy();
    }
    await expect.poll(() => filesIn('uploads')).toEqual([]);
    expect(await (await fetch(objects(server.url))).json()).toEqual({ kind: 'storage#objects' });
    expect(filesIn('objects')).toEqual([]);
    expect(failures).toEqual([]);
  });

  test('every reader gets one whole generation while writers replace and delete the object', async () => {
    server = await startStorage(options());
    const url = server.url;
    const write = (_each: unknown, round: number) =>
      fetch(uploads(url, 'uploadType=media&name=busy'), { method: 'POST', body: randomBytes(round * 2000) });
    const read = async () => {
      const answer = await fetch(`${objects(url)}/busy?alt=media`);
      const body = Buffer.from(await answer.arrayBuffer());
      if (answer.status === 404) return 'absent';
      const md5 = createHash('md5').update(body).digest('base64');
      return answer.headers.get('x-goog-hash')?.endsWith(`md5=${md5}`) === true ? 'whole' : body.toString();
    };
    const erase = () => fetch(`${objects(url)}/busy`, { method: 'DELETE' });
    const writing = Promise.all(Array.from({ length: 40 }, write));
    const seen = new Set<string>();
    for (let round = 0; round < 20; round++) {
      for (const result of await Promise.all([read(), read(), read()])) seen.add(result);
      if (round % 5 === 4) await erase();
    }
    for (const answer of await writing) expect(answer.status).toBe(200);
    seen.add(await read());
    expect([...seen].filter((result) => result !== 'whole' && result !== 'absent')).toEqual([]);
    expect(seen).toContain('whole');
    expect(filesIn('objects').length).toBeLessThanOrEqual(1);
  });

  test('a download goes on with the old bytes while the object is replaced and deleted', async () => {
    server = await startStorage(options());
    const large = randomBytes(8_000_000);
    await fetch(uploads(server.url, 'uploadType=media&name=a'), { method: 'POST', body: large });
    const answer = await fetch(`${objects(server.url)}/a?alt=media`);
    await fetch(uploads(server.url, 'uploadType=media&name=a'), { method: 'POST', body: 'new' });
    await fetch(`${objects(server.url)}/a`, { method: 'DELETE' });
    expect(Buffer.from(await answer.arrayBuffer()).equals(large)).toBe(true);
    expect(filesIn('objects')).toEqual([]);
  });

  test('does not open a folder that another program wrote', async () => {
    writeFileSync(join(folder, 'storage.db'), 'not a database');
    await expect(startStorage(options())).rejects.toMatchObject({ code: 'data_unreadable' });
  });
});
