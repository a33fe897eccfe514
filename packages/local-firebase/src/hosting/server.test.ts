import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { deleteApp, initializeApp } from 'firebase/app';
import { getAuth } from 'firebase/auth';
import { getFirestore, initializeFirestore } from 'firebase/firestore';
import { getFunctions } from 'firebase/functions';
import { getStorage } from 'firebase/storage';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { RunningServer } from '../http-server.ts';
import { startHosting } from './server.ts';

const outside = mkdtempSync(join(tmpdir(), 'hosting-'));
const folder = join(outside, 'dist');
const firebaseConfig = { apiKey: 'k', projectId: 'demo-hosting', appId: '</script><script>alert(1)' };
const emulatorHosts = {
  auth: '127.0.0.1:9099',
  firestore: '127.0.0.1:8080',
  storage: '127.0.0.1:9199',
  functions: '127.0.0.1:5001',
};
let server: RunningServer;

beforeAll(async () => {
  mkdirSync(join(folder, 'assets'), { recursive: true });
  writeFileSync(join(folder, 'index.html'), '<!doctype html><html><head><title>Studio</title></head></html>');
  writeFileSync(join(folder, 'assets/index-DiwrgTda.js'), 'export const studio = true;');
  writeFileSync(join(folder, 'ü page.svg'), '<svg/>');
  writeFileSync(join(folder, '.env'), 'SECRET=1');
  writeFileSync(join(outside, 'secret.txt'), 'secret');
  symlinkSync(join(outside, 'secret.txt'), join(folder, 'link.txt'));
  server = await startHosting({ port: 0, folder, firebaseConfig, emulatorHosts });
});

afterAll(async () => {
  await server.close();
  rmSync(outside, { recursive: true });
});

const get = (path: string, headers: Record<string, string> = {}) =>
  fetch(`${server.url}${path}`, { headers });

/** Sends a path as it is: fetch() would tidy it first. */
function getRaw(path: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const sent = request({ host: server.host, port: server.port, path }, (response) => {
      let body = '';
      response.on('data', (chunk: Buffer) => {
        body += chunk.toString();
      });
      response.on('end', () => resolve(body));
    });
    sent.on('error', reject);
    sent.end();
  });
}

describe('Hosting', () => {
  test.each(['/', '/pictures/abc', '/index.html'])('%s is the app, not to be cached', async (path) => {
    const answer = await get(path);
    expect(answer.status).toBe(200);
    expect(answer.headers.get('content-type')).toBe('text/html; charset=utf-8');
    expect(answer.headers.get('cache-control')).toBe('no-cache');
    expect(await answer.text()).toMatch(/^<!doctype html><html><head><script>globalThis/);
    const again = await get(path, { 'if-none-match': answer.headers.get('etag') ?? '' });
    expect(again.status).toBe(304);
  });

  test('hashed assets are kept for ever, other files are asked for again', async () => {
    const script = await get('/assets/index-DiwrgTda.js');
    expect(script.headers.get('content-type')).toBe('text/javascript; charset=utf-8');
    expect(script.headers.get('cache-control')).toBe('public, max-age=31536000, immutable');
    expect(await script.text()).toBe('export const studio = true;');
    const image = await get(`/${encodeURIComponent('ü page.svg')}`);
    expect(image.headers.get('content-type')).toBe('image/svg+xml');
    expect(image.headers.get('cache-control')).toBe('no-cache');
  });

  test('a missing file is 404, never a page; nothing is written', async () => {
    expect((await get('/assets/index-gone.js')).status).toBe(404);
    expect((await get('/__/auth/handler')).status).toBe(404);
    expect((await fetch(server.url, { method: 'POST' })).status).toBe(405);
    expect((await fetch(server.url, { method: 'HEAD' })).status).toBe(200);
  });

  test('gives the configuration as Hosting does', async () => {
    expect(await (await get('/__/firebase/init.json')).json()).toEqual(firebaseConfig);
  });

  test('the SDKs take configuration and emulators from the page', async () => {
    const html = await (await get('/')).text();
    const scripts = [...html.matchAll(/<script>(.*?)<\/script>/gs)].map(([, text]) => text ?? '');
    expect(scripts).toHaveLength(1);
    const page = globalThis as { __FIREBASE_DEFAULTS__?: unknown };
    new Function(scripts[0] ?? '')();
    try {
      const app = initializeApp();
      expect(app.options).toEqual(firebaseConfig);
      initializeFirestore(app, { ignoreUndefinedProperties: true });
      const settings = getFirestore(app).toJSON() as { settings: { host: string } };
      expect(settings.settings.host).toBe('127.0.0.1:8080');
      expect(getAuth(app).emulatorConfig).toMatchObject({ host: '127.0.0.1', port: 9099 });
      expect(getFunctions(app)).toMatchObject({ emulatorOrigin: 'http://127.0.0.1:5001' });
      expect(getStorage(app)).toMatchObject({ _host: '127.0.0.1:9199' });
      await deleteApp(app);
    } finally {
      delete page.__FIREBASE_DEFAULTS__;
    }
  });

  test('no path leads out of the folder or to a hidden file', async () => {
    for (const path of [
      '/link.txt',
      '/.env',
      '/../secret.txt',
      '/%2e%2e/secret.txt',
      '/..%2fsecret.txt',
      '/assets/..%5c..%5csecret.txt',
    ]) {
      expect(await getRaw(path)).not.toMatch(/secret|SECRET/);
    }
    const part = fc.constantFrom(
      '..',
      '.',
      '%2e',
      '%2f',
      '/',
      '%5c',
      '\\',
      '%00',
      '%',
      'secret.txt',
      '.env',
      'dist',
      'assets',
    );
    await fc.assert(
      fc.asyncProperty(fc.array(part, { maxLength: 8 }), async (parts) => {
        expect(await getRaw(`/${parts.join('')}`)).not.toMatch(/^secret|SECRET/);
      }),
    );
  });

  test('does not start without a built app', async () => {
    const starting = startHosting({ port: 0, folder: join(folder, 'assets'), firebaseConfig });
    await expect(starting).rejects.toMatchObject({ code: 'data_unreadable' });
  });
});
