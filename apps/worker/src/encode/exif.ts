/** Puts generation parameters into finished JPEG and WebP files as the EXIF user comment, in Unicode. */
import { WorkerError } from '../errors.ts';

/*
 * libvips would write the comment as ASCII and turn other letters into '?', so the block is made here.
 * Exif 2.32, 4.6.5: UserComment (0x9286) is eight bytes naming the character code, then the text.
 */
const USER_COMMENT_TAG = 0x9286;
const EXIF_DIRECTORY_TAG = 0x8769;
const UNDEFINED_TYPE = 7;
const LONG_TYPE = 4;
const UNICODE_CODE = Buffer.from('UNICODE\0', 'latin1');

/** Returns a copy of `jpeg` with the comment in an APP1 segment right after the start marker. */
export function withJpegUserComment(jpeg: Buffer, text: string): Buffer {
  if (jpeg.readUInt16BE(0) !== 0xffd8) {
    throw new WorkerError('internal', 'Expected a JPEG file that begins with its start marker FFD8.');
  }
  const payload = Buffer.concat([Buffer.from('Exif\0\0', 'latin1'), exifBlock(text)]);
  const segment = Buffer.alloc(4);
  segment.writeUInt16BE(0xffe1, 0);
  segment.writeUInt16BE(payload.length + 2, 2); // a segment's length counts itself; 64 KiB at most
  return Buffer.concat([jpeg.subarray(0, 2), segment, payload, jpeg.subarray(2)]);
}

/**
 * Returns a copy of `webp` (a simple file: one VP8 chunk, no alpha) as an extended file with the comment.
 * @param size the picture's size in pixels, which the extended header repeats
 */
export function withWebpUserComment(
  webp: Buffer,
  size: { widthPx: number; heightPx: number },
  text: string,
): Buffer {
  if (webp.toString('latin1', 8, 16) !== 'WEBPVP8 ') {
    throw new WorkerError('internal', 'Expected a simple lossy WebP file with one VP8 chunk.');
  }
  const header = Buffer.alloc(10);
  header.writeUInt8(0x08, 0); // flag: holds EXIF
  header.writeUIntLE(size.widthPx - 1, 4, 3);
  header.writeUIntLE(size.heightPx - 1, 7, 3);
  const body = Buffer.concat([
    Buffer.from('WEBP', 'latin1'),
    riffChunk('VP8X', header),
    webp.subarray(12),
    riffChunk('EXIF', exifBlock(text)),
  ]);
  return riffChunk('RIFF', body);
}

/** The comment in an EXIF block as `sharp(...).metadata().exif` returns it; undefined when there is none. */
export function readUserComment(exif: Buffer): string | undefined {
  const start = exif.indexOf(UNICODE_CODE);
  if (start < 0) return undefined;
  return Buffer.from(exif.subarray(start + UNICODE_CODE.length))
    .swap16()
    .toString('utf16le');
}

/** A big-endian TIFF block: directory 0 points at the EXIF directory, whose one entry is the comment. */
function exifBlock(text: string): Buffer {
  const comment = Buffer.concat([UNICODE_CODE, Buffer.from(text, 'utf16le').swap16()]);
  const exifDirectoryOffset = 8 + 18;
  const commentOffset = exifDirectoryOffset + 18;
  return Buffer.concat([
    Buffer.from([0x4d, 0x4d, 0x00, 0x2a, 0x00, 0x00, 0x00, 0x08]),
    directory(EXIF_DIRECTORY_TAG, LONG_TYPE, 1, exifDirectoryOffset),
    directory(USER_COMMENT_TAG, UNDEFINED_TYPE, comment.length, commentOffset),
    comment,
  ]);
}

/** A TIFF directory of one entry: count, the entry's twelve bytes, no next directory. */
function directory(tag: number, type: number, count: number, value: number): Buffer {
  const bytes = Buffer.alloc(18);
  bytes.writeUInt16BE(1, 0);
  bytes.writeUInt16BE(tag, 2);
  bytes.writeUInt16BE(type, 4);
  bytes.writeUInt32BE(count, 6);
  bytes.writeUInt32BE(value, 10);
  return bytes;
}

/** A RIFF chunk: four letters, length, data, and a byte of padding behind odd lengths. */
function riffChunk(kind: string, data: Buffer): Buffer {
  const head = Buffer.alloc(8);
  head.write(kind, 'latin1');
  head.writeUInt32LE(data.length, 4);
  return Buffer.concat([head, data, Buffer.alloc(data.length % 2)]);
}
