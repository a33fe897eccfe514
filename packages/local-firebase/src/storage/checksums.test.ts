import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createChecksums } from './checksums.ts';

function checksums(...pieces: Uint8Array[]) {
  const sums = createChecksums();
  for (const piece of pieces) sums.add(piece);
  return sums.result();
}

describe('checksums', () => {
  test('CRC32C gives the test vectors of RFC 3720', () => {
    const hex = (bytes: Uint8Array) => Buffer.from(checksums(bytes).crc32c, 'base64').toString('hex');
    expect(hex(Buffer.alloc(32))).toBe('8a9136aa');
    expect(hex(Buffer.alloc(32, 0xff))).toBe('62a8ab43');
    expect(hex(Buffer.from(Array.from({ length: 32 }, (_, index) => index)))).toBe('46dd794e');
    expect(hex(Buffer.from('123456789'))).toBe('e3069283');
  });

  test('do not depend on how the bytes are cut', () => {
    fc.assert(
      fc.property(fc.uint8Array(), fc.nat(), (bytes, at) => {
        const cut = bytes.length === 0 ? 0 : at % bytes.length;
        expect(checksums(bytes.subarray(0, cut), bytes.subarray(cut))).toEqual(checksums(bytes));
      }),
    );
  });
});
