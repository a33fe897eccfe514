import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { boundaryOf, readRelatedParts } from './multipart.ts';

async function* pieces(body: Buffer, sizes: readonly number[]): AsyncGenerator<Uint8Array> {
  let at = 0;
  for (const size of sizes) {
    if (at >= body.length) break;
    yield body.subarray(at, at + size);
    at += size;
  }
  if (at < body.length) yield body.subarray(at);
}

async function read(body: Buffer, boundary: string, sizes: readonly number[] = []) {
  const { json, mediaType, media } = await readRelatedParts(pieces(body, sizes), boundary);
  const chunks: Uint8Array[] = [];
  for await (const chunk of media) chunks.push(chunk);
  return { json, mediaType, media: Buffer.concat(chunks) };
}

function body(json: string, media: Uint8Array, boundary: string): Buffer {
  return Buffer.concat([
    Buffer.from(
      `--${boundary}\r\nContent-Type: application/json; charset=utf-8\r\n\r\n${json}\r\n--${boundary}\r\n`,
    ),
    Buffer.from('Content-Type: image/png\r\n\r\n'),
    media,
    Buffer.from(`\r\n--${boundary}--`),
  ]);
}

describe('multipart/related', () => {
  test('gives back both parts, however the network cuts them', async () => {
    const media = fc.oneof(
      fc.uint8Array(),
      // Bytes that look like the start of a delimiter.
      fc
        .array(fc.constantFrom('\r\n', '--', '\r\n--', 'bound', '\r', 'x'))
        .map((parts) => Buffer.from(parts.join(''))),
    );
    await fc.assert(
      fc.asyncProperty(
        fc.jsonValue(),
        media,
        fc.array(fc.integer({ min: 1, max: 40 })),
        async (value, bytes, sizes) => {
          const json = JSON.stringify(value);
          const parts = await read(body(json, bytes, 'boundary'), 'boundary', sizes);
          expect(parts).toEqual({ json, mediaType: 'image/png', media: Buffer.from(bytes) });
        },
      ),
    );
  });

  test('reads parts without headers and a preamble before them', async () => {
    const text = 'preamble\r\n--b\r\n\r\n{}\r\n--b\r\n\r\nbytes\r\n--b--\r\nepilogue';
    expect(await read(Buffer.from(text), 'b')).toEqual({
      json: '{}',
      mediaType: undefined,
      media: Buffer.from('bytes'),
    });
  });

  test('refuses a body that is cut short anywhere', async () => {
    const whole = body('{"name":"a"}', Buffer.from('some bytes'), 'boundary');
    const end = whole.length - '--'.length;
    for (let length = 0; length < end; length++) {
      await expect(read(whole.subarray(0, length), 'boundary')).rejects.toThrow(/ended before/);
    }
  });

  test('finds the boundary in the header, quoted or not', () => {
    expect(boundaryOf('multipart/related; boundary=abc-1')).toBe('abc-1');
    expect(boundaryOf('multipart/related; charset=utf-8; boundary="a b"')).toBe('a b');
    expect(() => boundaryOf('application/json')).toThrow(/multipart\/related/);
  });
});
