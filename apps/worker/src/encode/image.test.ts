import type { OutputFormat } from '@firepod/contract';
import { decode as decodeBlurHash } from 'blurhash';
import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import type { Frame } from '../engines/engine.ts';
import { readUserComment } from './exif.ts';
import { blurHashOf, dataUrl, encodeImage, encodePreview, encodeThumbnail } from './image.ts';
import { readPngText } from './png-text.ts';

/** Left half red, right half blue. */
function twoColours(widthPx: number, heightPx: number): Frame {
  const rgb = new Uint8Array(widthPx * heightPx * 3);
  for (let pixel = 0; pixel < widthPx * heightPx; pixel += 1) {
    rgb.set(pixel % widthPx < widthPx / 2 ? [220, 20, 30] : [20, 30, 220], pixel * 3);
  }
  return { rgb, widthPx, heightPx };
}

/** The worst case for a compressor: nothing repeats. */
function noise(widthPx: number, heightPx: number): Frame {
  let state = 1;
  const rgb = Uint8Array.from({ length: widthPx * heightPx * 3 }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state >>> 24;
  });
  return { rgb, widthPx, heightPx };
}

const TEXT = 'a fox, “grün” ☃\nNegative prompt: dull\nSteps: 2, Sampler: DDIM, Seed: 7';

describe('an encoded picture', () => {
  it('keeps every pixel as PNG, with its parameters inside', async () => {
    const frame = noise(48, 40);
    const { bytes, contentType } = await encodeImage(frame, 'png', TEXT);
    expect(contentType).toBe('image/png');
    expect(readPngText(bytes, 'parameters')).toBe(TEXT);
    expect(new Uint8Array(await sharp(bytes).raw().toBuffer())).toEqual(frame.rgb);
  });

  it.each(['jpeg', 'webp'] satisfies OutputFormat[])(
    'is a readable %s with its parameters as Unicode comment',
    async (format) => {
      const { bytes, contentType } = await encodeImage(twoColours(65, 40), format, TEXT);
      expect(contentType).toBe(`image/${format}`);
      const metadata = await sharp(bytes).metadata();
      expect(metadata).toMatchObject({ format, width: 65, height: 40 });
      expect(readUserComment(metadata.exif!)).toBe(TEXT);
      const { data } = await sharp(bytes).raw().toBuffer({ resolveWithObject: true });
      expect(data[0]).toBeGreaterThan(180);
      expect(data[64 * 3]).toBeLessThan(60);
    },
  );

  it.each(['png', 'jpeg', 'webp'] satisfies OutputFormat[])(
    'has the same bytes each time as %s',
    async (format) => {
      const frame = noise(32, 32);
      expect(await encodeImage(frame, format, TEXT)).toEqual(await encodeImage(frame, format, TEXT));
    },
  );
});

describe('the small forms of a picture', () => {
  it('are a thumbnail within 256 pixels that enlarges nothing', async () => {
    const wide = await sharp((await encodeThumbnail(twoColours(640, 320))).bytes).metadata();
    expect(wide).toMatchObject({ format: 'webp', width: 256, height: 128 });
    const small = await sharp((await encodeThumbnail(twoColours(64, 64))).bytes).metadata();
    expect(small).toMatchObject({ width: 64, height: 64 });
  });

  it('are a blur hash that shows where the colours are', async () => {
    const pixels = decodeBlurHash(await blurHashOf(twoColours(128, 64)), 16, 8);
    const left = pixels.slice(0, 3);
    const right = pixels.slice(15 * 4, 15 * 4 + 3);
    expect(left[0]).toBeGreaterThan(left[2]!);
    expect(right[2]).toBeGreaterThan(right[0]!);
  });

  it('are a preview that fits a document even where nothing can be compressed', async () => {
    const preview = await encodePreview(noise(256, 256));
    expect(preview).toMatch(/^data:image\/webp;base64,/);
    expect(preview!.length).toBeLessThanOrEqual(8192);
  });

  it('are a data URL of a file', () => {
    expect(dataUrl({ bytes: Buffer.from('hi'), contentType: 'image/png' })).toBe(
      'data:image/png;base64,aGk=',
    );
  });
});
