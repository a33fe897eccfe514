import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type File, type GetSignedUrlConfig, Storage } from '@google-cloud/storage';
import fc from 'fast-check';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { StorageRequestError } from './errors.ts';
import { type RunningStorage, startStorage } from './server.ts';
import { createUrlVerifier } from './signed-urls.ts';

const folder = mkdtempSync(join(tmpdir(), 'storage-signed-'));
const pair = () =>
  generateKeyPairSync('rsa', {
    modulusLength: 2048,
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  });
const known = pair();
const email = 'signer@demo.iam.gserviceaccount.com';
let server: RunningStorage;
let aheadMs = 0;

beforeAll(async () => {
  server = await startStorage({
    port: 0,
    projectId: 'demo',
    dataFolder: folder,
    buckets: { 'demo.app': { cors: [{ origin: ['*'], method: ['PUT'] }] } },
    serviceAccounts: [{ clientEmail: email, publicKey: known.publicKey }],
    clock: () => Date.now() + aheadMs,
  });
});
afterEach(() => {
  aheadMs = 0;
});
afterAll(async () => {
  await server.close();
  rmSync(folder, { recursive: true });
});

function fileOf(name: string, privateKey = known.privateKey, clientEmail = email): File {
  const credentials = { client_email: clientEmail, private_key: privateKey };
  return new Storage({
    projectId: 'demo',
    apiEndpoint: server.url,
    credentials,
    useAuthWithCustomEndpoint: false,
  })
    .bucket('demo.app')
    .file(name);
}

async function put(name: string, text: string) {
  const url = `${server.url}/upload/storage/v1/b/demo.app/o?uploadType=media&name=${encodeURIComponent(name)}`;
  expect((await fetch(url, { method: 'POST', body: text })).status).toBe(200);
}

async function signed(file: File, config: Partial<GetSignedUrlConfig> & { version: 'v2' | 'v4' }) {
  const [url] = await file.getSignedUrl({ action: 'read', expires: Date.now() + 60_000, ...config });
  return url;
}

async function outcome(url: string, init?: RequestInit): Promise<[number, string]> {
  const answer = await fetch(url, init);
  const text = await answer.text();
  return [answer.status, /<Code>(\w+)</.exec(text)?.[1] ?? text];
}

describe.each(['v2', 'v4'] as const)('signed URLs, %s', (version) => {
  test('open a private object to whoever has them, whatever its name', async () => {
    for (const name of ['private.txt', "ä b/(c)!'*+%2F~.txt"]) {
      await put(name, 'secret');
      expect((await fetch(fileOf(name).publicUrl())).status).toBe(403);
      expect(await outcome(await signed(fileOf(name), { version }))).toEqual([200, 'secret']);
    }
  });

  test('hold until they expire', async () => {
    await put('brief.txt', 'secret');
    const url = await signed(fileOf('brief.txt'), { version });
    aheadMs = 61_000;
    expect(await outcome(url)).toEqual([400, 'ExpiredToken']);
  });

  test('do not hold for another object, method, account, key or signature', async () => {
    await put('mine.txt', 'secret');
    await put('other.txt', 'secret');
    const url = await signed(fileOf('mine.txt'), { version });
    expect(await outcome(url.replace('mine.txt', 'other.txt'))).toEqual([403, 'SignatureDoesNotMatch']);
    expect(await outcome(url, { method: 'DELETE' })).toEqual([403, 'SignatureDoesNotMatch']);
    const forged = await signed(fileOf('mine.txt', pair().privateKey), { version });
    expect(await outcome(forged)).toEqual([403, 'SignatureDoesNotMatch']);
    const stranger = await signed(fileOf('mine.txt', known.privateKey, 'eve@x.iam.gserviceaccount.com'), {
      version,
    });
    expect(await outcome(stranger)).toEqual([403, 'InvalidSecurity']);
    const added = new URL(url);
    const name = version === 'v4' ? 'X-Goog-Signature' : 'Signature';
    added.searchParams.set(name, `${added.searchParams.get(name)}0`);
    expect(await outcome(added.href)).toEqual([403, 'SignatureDoesNotMatch']);
    const longer = url.replace(
      /(Expires=)\d+/,
      (_, parameter: string) => `${parameter}${version === 'v4' ? 90_000 : 4_000_000_000}`,
    );
    expect(await outcome(longer)).toEqual([403, 'SignatureDoesNotMatch']);
  });

  test('upload, with the signed content type alone', async () => {
    const file = fileOf(`upload-${version}.png`);
    const url = await signed(file, { version, action: 'write', contentType: 'image/png' });
    const upload = (contentType: string) =>
      fetch(url, {
        method: 'PUT',
        headers: { 'content-type': contentType, origin: 'http://app' },
        body: 'pixels',
      });
    expect((await upload('text/html')).status).toBe(403);
    const answer = await upload('image/png');
    expect([answer.status, answer.headers.get('access-control-allow-origin')]).toEqual([200, '*']);
    expect((await file.getMetadata())[0]).toMatchObject({ contentType: 'image/png', size: '6' });
  });

  test('start a resumable upload, which its own address continues', async () => {
    const file = fileOf(`resumable-${version}.bin`);
    const url = await signed(file, { version, action: 'resumable', contentType: 'text/plain' });
    const headers = { 'x-goog-resumable': 'start', 'content-type': 'text/plain' };
    expect((await fetch(url, { method: 'POST', headers: { 'content-type': 'text/plain' } })).status).toBe(
      403,
    );
    const start = await fetch(url, { method: 'POST', headers });
    expect(start.status).toBe(201);
    const location = start.headers.get('location') ?? '';
    const send = (range: string, body?: string) =>
      fetch(location, { method: 'PUT', headers: { 'content-range': `bytes ${range}` }, body: body ?? null });
    const first = await send('0-4/*', 'first');
    expect([first.status, first.headers.get('range')]).toEqual([308, 'bytes=0-4']);
    expect((await send('*/11')).status).toBe(308);
    // Bytes that have arrived may come again.
    expect((await send('3-10/11', 'st,last!')).status).toBe(200);
    expect((await file.download())[0].toString()).toBe('first,last!');
  });

  test('delete, and name the download', async () => {
    const file = fileOf(`gone-${version}.txt`);
    await put(file.name, 'secret');
    const promptSaveAs = 'nice name.txt';
    const named = await fetch(await signed(file, { version, promptSaveAs, responseType: 'text/css' }));
    expect(named.headers.get('content-disposition')).toBe('attachment; filename="nice name.txt"');
    expect(named.headers.get('content-type')).toBe('text/css');
    expect(
      (await fetch(await signed(file, { version, action: 'delete' }), { method: 'DELETE' })).status,
    ).toBe(204);
    expect(await file.exists()).toEqual([false]);
  });
});

describe('signed URLs, v4', () => {
  test('take no x-goog header that the signer did not name', async () => {
    const url = await signed(fileOf('acl.txt'), { version: 'v4', action: 'write' });
    const headers = { 'x-goog-acl': 'public-read' };
    expect(await outcome(url, { method: 'PUT', headers, body: 'x' })).toEqual([
      400,
      'MalformedSecurityHeader',
    ]);
    const extensionHeaders = { ...headers, 'x-goog-content-length-range': '1,5', 'x-goog-meta-seed': '7' };
    const allowed = await signed(fileOf('acl.txt'), { version: 'v4', action: 'write', extensionHeaders });
    const upload = (body: string) => fetch(allowed, { method: 'PUT', headers: extensionHeaders, body });
    expect((await upload('too long')).status).toBe(400);
    expect((await upload('short')).status).toBe(200);
    expect((await fetch(fileOf('acl.txt').publicUrl())).status).toBe(200);
    expect((await fileOf('acl.txt').getMetadata())[0].metadata).toEqual({ seed: '7' });
  });

  test('are for a week at most, and not for the future', async () => {
    const url = await signed(fileOf('a.txt'), { version: 'v4' });
    expect(await outcome(url.replace(/X-Goog-Expires=\d+/, 'X-Goog-Expires=604801'))).toEqual([
      400,
      'InvalidArgument',
    ]);
    aheadMs = -1000_000;
    expect(await outcome(url)).toEqual([403, 'RequestTimeTooSkewed']);
  });
});

test('any query is no signature, a refusal, or (never here) a signature', () => {
  const verifier = createUrlVerifier(
    [{ clientEmail: email, publicKey: known.publicKey }],
    () => 1_800_000_000_000,
  );
  const text = fc.oneof(
    fc.string(),
    fc.constantFrom(email, 'GOOG4-RSA-SHA256', '20270115T080000Z', 'host', 'ff', '60'),
  );
  const names = [
    ...['X-Goog-Algorithm', 'X-Goog-Credential', 'X-Goog-Date', 'X-Goog-Expires', 'X-Goog-SignedHeaders'],
    ...['X-Goog-Signature', 'Signature', 'GoogleAccessId', 'Expires', 'other'],
  ];
  const query = fc.dictionary(fc.constantFrom(...names), text);
  fc.assert(
    fc.property(query, fc.string(), (parameters, path) => {
      const url = `http://127.0.0.1:9199/b/${path.replace(/[?#]/g, '')}?${new URLSearchParams(parameters)}`;
      try {
        expect(verifier.verify({ method: 'GET', url, headers: new Headers() })).toBe(false);
      } catch (error) {
        expect(error).toBeInstanceOf(StorageRequestError);
      }
    }),
  );
});
