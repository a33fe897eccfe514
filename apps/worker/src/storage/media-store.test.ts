import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import {
  BUCKET,
  createServiceAccount,
  startTestFirebase,
  type TestFirebase,
} from '../../testing/firebase.ts';
import { type LosingProxy, startLosingProxy } from '../../testing/losing-proxy.ts';
import type { MediaAccess } from '../env.ts';
import { connectFirebase } from '../firebase.ts';
import { createMediaStore, type MediaStore, type NamedFile, type StoreOptions } from './media-store.ts';

describe('the media store', () => {
  let firebase: TestFirebase;
  beforeAll(async () => {
    firebase = await startTestFirebase();
  });
  afterAll(() => firebase.close());
  beforeEach(async () => {
    firebase.configureBucket({ accessControl: 'object-acls' });
    await firebase.bucket.deleteFiles({ force: true });
  });

  const options: StoreOptions = {
    generations: new Map(),
    isStillOurs: async () => true,
    signal: new AbortController().signal,
  };

  function open(mediaAccess: MediaAccess = 'public'): MediaStore {
    const { bucket, storageHost: storageEmulatorHost } = firebase;
    return createMediaStore({ bucket, mediaAccess, storageEmulatorHost, retryDelaysMs: [10, 20] });
  }

  function picture(name: string, text = name): NamedFile {
    return { name, bytes: Buffer.from(text), contentType: 'image/png' };
  }

  async function read(url: string): Promise<{ status: number; text: string; headers: Headers }> {
    const response = await fetch(url);
    return { status: response.status, text: await response.text(), headers: response.headers };
  }

  it('makes files public at their plain address', async () => {
    const [file] = await open().store([picture('generating/u/image/a.png', 'pixels')], options);
    expect(file!.url).toBe(`http://${firebase.storageHost}/${BUCKET}/generating%2Fu%2Fimage%2Fa.png`);
    const { text, headers } = await read(file!.url);
    expect(text).toBe('pixels');
    expect(headers.get('content-type')).toBe('image/png');
    expect(headers.get('cache-control')).toBe('public, max-age=31536000, immutable');
  });

  it.each([
    ['object-acls', 'private'],
    ['uniform', 'public'],
    ['uniform', 'private'],
    ['public-access-prevented', 'public'],
    ['public-access-prevented', 'private'],
  ] as const)(
    'makes files readable by a token alone: a bucket with %s, access %s',
    async (accessControl, mediaAccess) => {
      firebase.configureBucket({ accessControl });
      const [file] = await open(mediaAccess).store([picture('a.png', 'pixels')], options);
      expect(new URL(file!.url).pathname).toBe(`/v0/b/${BUCKET}/o/a.png`);
      const { status, text, headers } = await read(file!.url);
      expect({ status, text }).toEqual({ status: 200, text: 'pixels' });
      expect(headers.get('cache-control')).toBe('private, max-age=31536000, immutable');
      const withoutToken = new URL(file!.url);
      withoutToken.searchParams.delete('token');
      expect((await read(withoutToken.href)).status).toBe(403);
      expect((await read(firebase.bucket.file('a.png').publicUrl())).status).toBe(403);
    },
  );

  it.each(['uniform', 'public-access-prevented'] as const)(
    'remembers that the bucket refuses ACLs (%s), and asks it no more',
    async (accessControl) => {
      firebase.configureBucket({ accessControl });
      const store = open();
      await store.store([picture('first.png')], options);
      // It would take ACLs again, but nobody asks.
      firebase.configureBucket({ accessControl: 'object-acls' });
      const [second] = await store.store([picture('second.png')], options);
      expect(second!.url).toContain('token=');
    },
  );

  it('fails at once where there is no bucket', async () => {
    const bucket = firebase.bucket.storage.bucket('no-such-bucket');
    const retryDelaysMs = [60_000];
    const store = createMediaStore({ bucket, mediaAccess: 'public', retryDelaysMs });
    await expect(store.store([picture('a.png')], options)).rejects.toMatchObject({
      code: 'upload_failed',
      cause: { code: 404 },
    });
  });

  it('overwrites what an earlier attempt left, by the generation that was found at the claim', async () => {
    const store = open();
    await store.store([picture('a.png', 'first attempt')], options);
    const generations = await store.readGenerations(['a.png', 'absent.png'], options.signal);
    expect([...generations.keys()]).toEqual(['a.png']);
    const [file] = await store.store([picture('a.png', 'second attempt')], { ...options, generations });
    expect(await read(file!.url)).toMatchObject({ text: 'second attempt' });
  });

  it('lets a late worker neither overwrite nor delete the file of the attempt that took over', async () => {
    const late = open();
    const [lateFile] = await late.store([picture('a.png', 'late')], options);
    // The winner did not see the late file at its claim: it came after. It is still the owner, so it writes over it.
    const [won] = await open().store([picture('a.png', 'winner')], options);
    expect(await read(won!.url)).toMatchObject({ text: 'winner' });

    const overwriting = late.store([picture('a.png', 'late again')], {
      ...options,
      isStillOurs: async () => false,
    });
    await expect(overwriting).rejects.toMatchObject({ code: 'superseded' });
    await late.remove([lateFile!]);
    expect(await read(won!.url)).toMatchObject({ status: 200, text: 'winner' });
  });

  it('stores all files or none', async () => {
    const tooLong = `${'n'.repeat(1025)}.png`;
    const storing = open().store([picture('a.png'), picture(tooLong), picture('b.png')], options);
    await expect(storing).rejects.toMatchObject({
      code: 'upload_failed',
      message: 'The result could not be saved. Please try again.',
    });
    expect(await firebase.objectNames()).toEqual([]);
  });

  it('removes what it stored, and does not mind what is gone', async () => {
    const store = open();
    const files = await store.store([picture('a.png'), picture('b.png')], options);
    await firebase.bucket.file('b.png').delete();
    await store.remove(files);
    expect(await firebase.objectNames()).toEqual([]);
  });

  it('stops when it is told to', async () => {
    const stopped = open().store([picture('a.png')], {
      ...options,
      signal: AbortSignal.abort(new Error('stop')),
    });
    await expect(stopped).rejects.toThrow('stop');
    expect(await firebase.objectNames()).toEqual([]);
  });

  describe('behind a network that loses answers', () => {
    it('knows its own file again when the answer to an upload was lost', async () => {
      await behindProxy(async (store, proxy) => {
        proxy.loseAnswers('POST', 1);
        const [file] = await store.store([picture('a.png', 'once')], {
          ...options,
          isStillOurs: () => Promise.reject(new Error('Its own file is no conflict.')),
        });
        const [metadata] = await firebase.bucket.file('a.png').getMetadata();
        expect(file!.generation).toBe(String(metadata.generation));
      });
    });

    it('takes away what may have arrived when it gives up', async () => {
      await behindProxy(async (store, proxy) => {
        proxy.loseAnswers('POST', 10);
        const storing = store.store([picture('a.png'), picture('b.png')], options);
        await expect(storing).rejects.toMatchObject({ code: 'upload_failed' });
        expect(await firebase.objectNames()).toEqual([]);
      });
    });

    it('tries again when an answer does not come at all', async () => {
      await behindProxy(async (store, proxy) => {
        proxy.holdAnswers('POST', 1);
        expect(await store.store([picture('a.png')], options)).toHaveLength(1);
      });
    });

    async function behindProxy(use: (store: MediaStore, proxy: LosingProxy) => Promise<void>): Promise<void> {
      const proxy = await startLosingProxy(firebase.storageHost);
      process.env['FIREBASE_STORAGE_EMULATOR_HOST'] = proxy.host;
      process.env['STORAGE_EMULATOR_HOST'] = `http://${proxy.host}`;
      const connection = connectFirebase(createServiceAccount(), BUCKET, randomUUID());
      try {
        const { bucket } = connection;
        const settings = {
          bucket,
          mediaAccess: 'public',
          retryDelaysMs: [10, 20],
          requestTimeoutMs: 1000,
        } as const;
        await use(createMediaStore(settings), proxy);
      } finally {
        process.env['FIREBASE_STORAGE_EMULATOR_HOST'] = firebase.storageHost;
        process.env['STORAGE_EMULATOR_HOST'] = `http://${firebase.storageHost}`;
        await connection.close();
        await proxy.close();
      }
    }
  });
});
