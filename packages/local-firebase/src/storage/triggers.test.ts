import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Storage } from '@google-cloud/storage';
import { onObjectDeleted, onObjectFinalized, onObjectMetadataUpdated } from 'firebase-functions/v2/storage';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { type RunningFunctionsHost, startFunctionsHost } from '../functions/host.ts';
import { type RunningStorage, startStorage } from './server.ts';

// The functions' library writes a line for each call.
vi.hoisted(() => {
  globalThis.console.debug = () => {};
});

const soon = { timeout: 15_000, interval: 10 };
const projectId = 'demo-triggers';
const bucketName = 'demo.app';
let folder: string;
let server: RunningStorage;
let host: RunningFunctionsHost | undefined;
let heard: string[];

const functions = {
  finalized: onObjectFinalized(bucketName, ({ data }) => {
    heard.push(`finalized ${data.name} ${data.size} ${data.contentType}`);
  }),
  deleted: onObjectDeleted(bucketName, ({ data }) => {
    heard.push(`deleted ${data.name} ${data.size}`);
  }),
  updated: onObjectMetadataUpdated(bucketName, ({ data }) => {
    heard.push(`updated ${data.name} ${JSON.stringify(data.metadata)}`);
  }),
  elsewhere: onObjectFinalized('other.app', ({ data }) => {
    heard.push(`elsewhere ${data.name}`);
  }),
};

const start = (port = 0) =>
  startStorage({ port, projectId, dataFolder: folder, buckets: { [bucketName]: {}, 'other.app': {} } });
const startHost = async () => {
  host = await startFunctionsHost({ projectId, port: 0, functions, eventSources: [server.url] });
};
const bucket = () => new Storage({ projectId, apiEndpoint: server.url }).bucket(bucketName);
const save = (name: string, text: string) =>
  bucket().file(name).save(text, { resumable: false, contentType: 'text/plain' });

/** Subscribing goes on in the background: writes until the first event shows that it is done. */
async function untilSubscribed(): Promise<void> {
  let attempt = 0;
  await expect
    .poll(async () => save(`probe-${attempt++}`, 'x').then(() => heard.length > 0), soon)
    .toBe(true);
  await expect.poll(() => heard.some((each) => each.includes(`probe-${attempt - 1} `)), soon).toBe(true);
  heard.length = 0;
}

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'storage-triggers-'));
  heard = [];
  server = await start();
});
afterEach(async () => {
  await host?.close();
  await server.close();
  rmSync(folder, { recursive: true });
});

describe('Storage triggers', () => {
  test('start by what happened to an object, in order, in their bucket alone', async () => {
    await startHost();
    await untilSubscribed();
    await save('a/b.txt', 'one');
    await save('a/b.txt', 'four');
    await bucket()
      .file('a/b.txt')
      .setMetadata({ metadata: { seed: '7' } });
    await expect(bucket().file('a/b.txt').delete({ ifGenerationMatch: 1 })).rejects.toMatchObject({
      code: 412,
    });
    await bucket().file('a/b.txt').delete();
    const expected = [
      'finalized a/b.txt 3 text/plain',
      'deleted a/b.txt 3',
      'finalized a/b.txt 4 text/plain',
      'updated a/b.txt {"seed":"7"}',
      'deleted a/b.txt 4',
    ];
    // Functions do not wait for each other: only the order within one of them is promised.
    await expect.poll(() => [...heard].sort(), soon).toEqual([...expected].sort());
    const of = (list: string[], kind: string) => list.filter((each) => each.startsWith(kind));
    for (const kind of ['finalized', 'deleted']) expect(of(heard, kind)).toEqual(of(expected, kind));
  });

  test('wait on disk while the functions are away, and while Storage itself is', async () => {
    await startHost();
    await untilSubscribed();
    await host?.close();
    await save('late.txt', 'x');
    const { port } = server;
    await server.close();
    server = await start(port);
    expect(heard).toEqual([]);
    await startHost();
    await expect.poll(() => heard, soon).toEqual(['finalized late.txt 1 text/plain']);
  });

  test('refuses subscriptions of another project, and what is none', async () => {
    const put = async (project: string, body: string) => {
      const url = `${server.url}/emulator/v1/projects/${project}/eventSubscriptions`;
      return (await fetch(url, { method: 'PUT', body })).status;
    };
    expect(await put('other', '{"subscriptions":[]}')).toBe(400);
    expect(await put(projectId, 'nonsense')).toBe(400);
    expect(await put(projectId, '{"subscriptions":[]}')).toBe(200);
  });
});
