/** Puts a text chunk into a finished PNG, as image tools write their generation parameters, and reads it back. */
import { crc32 } from 'node:zlib';
import { WorkerError } from '../errors.ts';

const SIGNATURE = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);

/**
 * Returns a copy of `png` with `text` under `keyword`, placed right after the header so that readers which stop at
 * the first pixel find it. Latin-1 text becomes a `tEXt` chunk, any other an uncompressed UTF-8 `iTXt`: the same
 * choice as Pillow makes, and with it AUTOMATIC1111's web UI.
 * PNG specification, third edition, 11.3.3: https://www.w3.org/TR/png-3/#11textinfo
 */
export function withPngText(png: Buffer, keyword: string, text: string): Buffer {
  const headerEnd = endOfChunk(png, SIGNATURE.length);
  return Buffer.concat([png.subarray(0, headerEnd), textChunk(keyword, text), png.subarray(headerEnd)]);
}

/** The text under `keyword`, from a `tEXt` or an uncompressed `iTXt` chunk; undefined when there is none. */
export function readPngText(png: Buffer, keyword: string): string | undefined {
  for (let offset = SIGNATURE.length; offset < png.length; offset = endOfChunk(png, offset)) {
    const kind = png.toString('latin1', offset + 4, offset + 8);
    const data = png.subarray(offset + 8, offset + 8 + png.readUInt32BE(offset));
    const keywordEnd = data.indexOf(0);
    if (data.toString('latin1', 0, Math.max(keywordEnd, 0)) !== keyword) continue;
    if (kind === 'tEXt') return data.toString('latin1', keywordEnd + 1);
    if (kind === 'iTXt' && data[keywordEnd + 1] === 0) {
      const languageEnd = data.indexOf(0, keywordEnd + 3);
      return data.toString('utf8', data.indexOf(0, languageEnd + 1) + 1);
    }
  }
  return undefined;
}

function textChunk(keyword: string, text: string): Buffer {
  // A code point above 255 has no Latin-1 byte; NUL ends a tEXt keyword and may not stand in the text.
  const isLatin1 = [...text].every((character) => character.codePointAt(0)! <= 0xff && character !== '\0');
  if (isLatin1) return chunk('tEXt', Buffer.from(`${keyword}\0${text}`, 'latin1'));
  // keyword NUL, not compressed, method 0, no language NUL, no translated keyword NUL
  const head = Buffer.from(`${keyword}\0\0\0\0\0`, 'latin1');
  return chunk('iTXt', Buffer.concat([head, Buffer.from(text, 'utf8')]));
}

function chunk(kind: string, data: Buffer): Buffer {
  const body = Buffer.concat([Buffer.from(kind, 'latin1'), data]);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(data.length);
  const checksum = Buffer.alloc(4);
  checksum.writeUInt32BE(crc32(body));
  return Buffer.concat([length, body, checksum]);
}

/** Offset behind the chunk that begins at `offset`: length, kind, data, checksum. */
function endOfChunk(png: Buffer, offset: number): number {
  if (!png.subarray(0, SIGNATURE.length).equals(SIGNATURE) || offset + 12 > png.length) {
    throw new WorkerError('internal', `Expected a whole PNG file, got ${png.length} bytes that are not one.`);
  }
  return offset + 12 + png.readUInt32BE(offset);
}
