import fc from 'fast-check';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { type PictureServer, startPictureServer } from '../../testing/picture-server.ts';
import { TEST_CERTIFICATE } from '../../testing/test-certificate.ts';
import { fetchPublic, type PublicFetchOptions } from './public-fetch.ts';

const BYTES = Buffer.alloc(1000, 7);
const never = new AbortController().signal;

let server: PictureServer;
let base: string;
beforeAll(async () => {
  server = await startPictureServer(BYTES);
  base = `https://pictures.test:${server.port}`;
});
beforeEach(() => void server.requests.splice(0));
afterAll(() => server.close());

/** Names of the test lead to its server, which a stranger's address check lets pass; all else is as in production. */
const toOurServer = {
  resolve: async () => [{ address: '127.0.0.1', family: 4 }],
  isAllowed: (address: string) => address === '127.0.0.1',
  ca: TEST_CERTIFICATE,
};

function get(url: string, options: Partial<PublicFetchOptions & { signal: AbortSignal }> = {}) {
  return fetchPublic(url, { maxBytes: 5000, timeoutMs: 5000, ...toOurServer, signal: never, ...options });
}

const forbidden = (message: RegExp) => ({ isForbidden: true, message: expect.stringMatching(message) });
const unavailable = (message: RegExp) => ({ isForbidden: false, message: expect.stringMatching(message) });

describe('a fetch', () => {
  it('brings the bytes, over redirects too', async () => {
    expect(await get(`${base}/picture`)).toEqual(BYTES);
    expect(
      await get(`${base}/to?${encodeURIComponent(`https://other.test:${server.port}/to?%2Fpicture`)}`),
    ).toEqual(BYTES);
    expect(server.requests.at(-1)).toBe(`other.test:${server.port} /picture`);
  });

  it.each([
    ['/missing', /status 404/],
    ['/loop', /more than 3 times/],
    ['/cut', /could not be fetched/],
    ['/large', /larger than 5000 bytes/],
    ['/endless', /larger than 5000 bytes/],
  ])('of %s fails', async (path, message) => {
    await expect(get(base + path)).rejects.toMatchObject(unavailable(message));
  });

  it('ends after its time, and when its signal fires', async () => {
    await expect(get(`${base}/silent`, { timeoutMs: 50 })).rejects.toMatchObject(
      unavailable(/within 0.05 seconds/),
    );
    const stop = new AbortController();
    const stopped = get(`${base}/silent`, { signal: stop.signal });
    stop.abort(new Error('stop'));
    await expect(stopped).rejects.toThrow('stop');
    const slowNames = { resolve: () => new Promise<never>(() => {}), timeoutMs: 50 };
    await expect(get(`${base}/picture`, slowNames)).rejects.toMatchObject(unavailable(/within 0.05 seconds/));
  });

  it('trusts no certificate that is not of a known authority', async () => {
    await expect(get(`${base}/picture`, { ca: undefined })).rejects.toMatchObject(
      unavailable(/could not be fetched/),
    );
  });

  it('tells of a name that nobody knows', async () => {
    const resolve = async () => Promise.reject(new Error('ENOTFOUND'));
    await expect(get('https://nowhere.test/', { resolve })).rejects.toMatchObject(
      unavailable(/host .* is not known/),
    );
    await expect(get('https://nowhere.test/', { resolve: async () => [] })).rejects.toMatchObject(
      unavailable(/host .* is not known/),
    );
  });
});

describe('what is not public', () => {
  /** As in production but for the names. */
  const closed = { isAllowed: undefined } as unknown as Partial<PublicFetchOptions>;
  const resolvesTo = (...addresses: string[]) => ({
    ...closed,
    resolve: async () => addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 })),
  });

  it.each([
    '127.0.0.1',
    '127.1',
    '0x7f.1',
    '0177.0.0.1',
    '2130706433',
    '0x7f000001',
    '0',
    '169.254.169.254',
    '0xa9fea9fe',
    '10.0.0.1',
    '%31%32%37.0.0.1',
    '１２７.0.0.1',
    '[::1]',
    '[::]',
    '[::ffff:127.0.0.1]',
    '[::ffff:7f00:1]',
    '[64:ff9b::7f00:1]',
    '[fe80::1]',
    '[fd00:ec2::254]',
  ])('is not reached as https://%s', async (host) => {
    const url = `https://${host}:${server.port}/picture`;
    await expect(get(url, closed)).rejects.toMatchObject(forbidden(/not public/));
    expect(server.requests).toEqual([]);
  });

  it.each([[['127.0.0.1']], [['8.8.8.8', '127.0.0.1']], [['::ffff:127.0.0.1']], [['fe80::1']]])(
    'is not reached by a name that stands for %j',
    async (addresses) => {
      await expect(get(`${base}/picture`, resolvesTo(...addresses))).rejects.toMatchObject(
        forbidden(/not public/),
      );
      expect(server.requests).toEqual([]);
    },
  );

  it('is not reached by a name server that answers otherwise the second time', async () => {
    const resolve = vi
      .fn(toOurServer.resolve)
      .mockResolvedValueOnce([{ address: '127.0.0.1', family: 4 }])
      .mockResolvedValue([{ address: '127.0.0.2', family: 4 }]);
    expect(await get(`https://rebinding.test:${server.port}/picture`, { resolve })).toEqual(BYTES);
    expect(resolve).toHaveBeenCalledTimes(1);
  });

  it.each([
    'http://pictures.test/',
    'https://127.0.0.2/',
    'file:///etc/passwd',
    'https://a:b@pictures.test/',
  ])('is not reached by a redirect to %s', async (target) => {
    const redirected = get(`${base}/to?${encodeURIComponent(target)}`);
    await expect(redirected).rejects.toMatchObject({ isForbidden: true });
    expect(server.requests).toHaveLength(1);
  });

  it.each([
    'http://pictures.test/a.png',
    'file:///etc/passwd',
    'ftp://pictures.test/',
    '/etc/passwd',
    'data:,x',
    '',
  ])('is not %j', async (url) => {
    await expect(get(url)).rejects.toMatchObject({ isForbidden: true });
  });

  it('is not reached in any writing of a loopback address', async () => {
    const part = (value: number) =>
      fc.constantFrom(
        `${value}`,
        `0${value.toString(8)}`,
        `0x${value.toString(16)}`,
        `0x00${value.toString(16)}`,
      );
    const writings = fc
      .tuple(
        fc.integer({ min: 0, max: 255 }),
        fc.integer({ min: 0, max: 255 }),
        fc.integer({ min: 0, max: 255 }),
      )
      .chain(([b, c, d]) =>
        fc.oneof(
          fc.tuple(part(127), part(b), part(c), part(d)),
          fc.tuple(part(127), part(b), part(c * 256 + d)),
          fc.tuple(part(127), part((b * 256 + c) * 256 + d)),
          fc.tuple(part(((127 * 256 + b) * 256 + c) * 256 + d)),
        ),
      );
    await fc.assert(
      fc.asyncProperty(writings, async (parts) => {
        const host = parts.join('.');
        await expect(get(`https://${host}:${server.port}/`, closed)).rejects.toMatchObject({
          isForbidden: true,
        });
      }),
      { numRuns: 60 },
    );
    expect(server.requests).toEqual([]);
  });
});

describe('a local Storage', () => {
  it('is asked over http on this machine, and nothing else there is', async () => {
    const storage = await startPictureServer(BYTES, 'http');
    const other = await startPictureServer(BYTES, 'http');
    const storageEmulatorHost = `127.0.0.1:${storage.port}`;
    const options = { storageEmulatorHost, isAllowed: undefined } as unknown as Partial<PublicFetchOptions>;
    expect(await get(`http://${storageEmulatorHost}/picture`, options)).toEqual(BYTES);
    for (const url of [`http://127.0.0.1:${other.port}/picture`, `https://${storageEmulatorHost}/picture`])
      await expect(get(url, options)).rejects.toMatchObject({ isForbidden: true });
    expect(other.requests).toEqual([]);
    await Promise.all([storage.close(), other.close()]);
  });
});
