/** The two hashes of Cloud Storage, MD5 and CRC32C (Castagnoli), both as base64. */
import { createHash } from 'node:crypto';

/** Base64 of the 16 bytes of MD5 and of the 4 big-endian bytes of CRC32C. */
export type Checksums = { md5: string; crc32c: string };

/** The Castagnoli polynomial, bits reversed (RFC 3720, appendix B.4). */
const polynomial = 0x82f63b78;

const table = Uint32Array.from({ length: 256 }, (_, byte) => {
  let remainder = byte;
  for (let bit = 0; bit < 8; bit++)
    remainder = remainder & 1 ? (remainder >>> 1) ^ polynomial : remainder >>> 1;
  return remainder;
});

/** CRC32C of the bytes, or of `before` and the bytes. An unsigned 32-bit number. */
export function crc32c(bytes: Uint8Array, before = 0): number {
  let crc = ~before;
  for (let index = 0; index < bytes.length; index++) {
    crc = table[(crc ^ bytes[index]!) & 0xff]! ^ (crc >>> 8);
  }
  return ~crc >>> 0;
}

/** Takes bytes in pieces and says both hashes at the end. */
export function createChecksums(): { add(bytes: Uint8Array): void; result(): Checksums } {
  const md5 = createHash('md5');
  let crc = 0;
  return {
    add(bytes) {
      md5.update(bytes);
      crc = crc32c(bytes, crc);
    },
    result() {
      const bigEndian = Buffer.alloc(4);
      bigEndian.writeUInt32BE(crc);
      return { md5: md5.digest('base64'), crc32c: bigEndian.toString('base64') };
    },
  };
}
