import { deflateSync } from 'node:zlib';
import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { decodeImage, decodeMask, openPicture, SOURCE_PIXELS_MAX } from './picture.ts';

const png = (width: number, height: number, background: string) =>
  sharp({ create: { width, height, channels: 4, background } }).png();

/** A PNG header alone is enough to lie about a size. */
function bombOf(sidePx: number): Buffer {
  const chunk = (kind: string, data: Buffer) => {
    const length = Buffer.alloc(4);
    length.writeUInt32BE(data.length);
    return Buffer.concat([length, Buffer.from(kind, 'latin1'), data, Buffer.alloc(4)]);
  };
  const header = Buffer.alloc(13);
  header.writeUInt32BE(sidePx, 0);
  header.writeUInt32BE(sidePx, 4);
  header.set([8, 2, 0, 0, 0], 8);
  const signature = Buffer.from('\x89PNG\r\n\x1a\n', 'latin1');
  return Buffer.concat([signature, chunk('IHDR', header), chunk('IDAT', deflateSync(Buffer.alloc(100)))]);
}

async function imageOf(bytes: Buffer, widthPx: number, heightPx: number) {
  return decodeImage(await openPicture('image_url', bytes), { widthPx, heightPx });
}

describe('a source picture', () => {
  it.each(['png', 'jpeg', 'webp'] as const)('is read from %s and brought to the size', async (format) => {
    const bytes = await png(40, 20, '#dc141e').toFormat(format).toBuffer();
    const image = await imageOf(bytes, 64, 32);
    expect(image).toMatchObject({ width: 64, height: 32, channels: 3 });
    expect(image.data).toHaveLength(64 * 32 * 3);
    for (const [index, value] of [220, 20, 30].entries())
      expect(image.data[3000 * 1 + index]).toBeCloseTo(value, -1);
  });

  it('stands as its EXIF says, shows white where it is transparent, and has three channels in any mode', async () => {
    const turned = await png(40, 20, '#dc141e').jpeg().withMetadata({ orientation: 6 }).toBuffer();
    expect(await openPicture('image_url', turned)).toMatchObject({ widthPx: 20, heightPx: 40 });
    const half = await png(8, 8, '#00000080').toBuffer();
    expect((await imageOf(half, 8, 8)).data[0]).toBe(127);
    const grey = await sharp(await png(8, 8, '#808080').toBuffer())
      .greyscale()
      .png()
      .toBuffer();
    expect((await imageOf(grey, 8, 8)).data).toHaveLength(8 * 8 * 3);
    const deep = await sharp(await png(8, 8, '#ff8000').toBuffer())
      .toColourspace('rgb16')
      .png()
      .toBuffer();
    expect([...(await imageOf(deep, 8, 8)).data.slice(0, 3)]).toEqual([255, 128, 0]);
  });

  it('is the first frame of an animation', async () => {
    const frames = Buffer.concat([Buffer.alloc(8 * 8 * 3, 200), Buffer.alloc(8 * 8 * 3, 10)]);
    const bytes = await sharp(frames, { raw: { width: 8, height: 16, channels: 3, pageHeight: 8 } })
      .webp({ lossless: true, delay: [100, 100] })
      .toBuffer();
    expect((await sharp(bytes).metadata()).pages).toBe(2);
    const image = await imageOf(bytes, 8, 8);
    expect(new Set(image.data)).toEqual(new Set([200]));
  });

  it.each([
    ['nothing', Buffer.alloc(0), /^image_url: the file is empty; expected a PNG/],
    [
      'a text',
      Buffer.from('<svg xmlns="http://www.w3.org/2000/svg"/>'),
      /^image_url: the file is no picture/,
    ],
    ['a GIF', Buffer.from('GIF89a\x01\x00\x01\x00', 'latin1'), /^image_url: the file is no picture/],
    ['a header and no more', Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'), /^image_url: .*cut off or damaged/],
  ])('is not %s', async (_, bytes, message) => {
    await expect(openPicture('image_url', bytes)).rejects.toMatchObject({
      code: 'source_not_available',
      message: expect.stringMatching(message),
    });
  });

  it('is refused when it is cut off', async () => {
    const noisy = {
      create: {
        width: 64,
        height: 64,
        channels: 3 as const,
        noise: { type: 'gaussian' as const, mean: 128, sigma: 60 },
        background: '#000',
      },
    };
    for (const format of ['png', 'jpeg', 'webp'] as const) {
      const bytes = await sharp(noisy).toFormat(format).toBuffer();
      await expect(imageOf(bytes.subarray(0, bytes.length / 2), 64, 64)).rejects.toMatchObject({
        code: 'source_not_available',
        message: expect.stringContaining('image_url: the picture is cut off or damaged'),
      });
    }
  });

  it('is refused by its header alone when it has too many pixels', async () => {
    await expect(openPicture('mask_url', bombOf(30_000))).rejects.toMatchObject({
      code: 'invalid_argument',
      message: `mask_url: the picture has 30000 x 30000 pixels; expected at most ${SOURCE_PIXELS_MAX} pixels, as 8192 x 8192 has.`,
    });
  });
});

describe('a mask', () => {
  it('is black and white only, by the nearest pixel and the half of white', async () => {
    const grey = Uint8Array.from([0, 127, 128, 255]);
    const bytes = await sharp(grey, { raw: { width: 4, height: 1, channels: 1 } })
      .png()
      .toBuffer();
    const mask = await decodeMask(await openPicture('mask_url', bytes), { widthPx: 8, heightPx: 2 });
    expect(mask).toMatchObject({ width: 8, height: 2, channels: 1 });
    const row = [0, 0, 0, 0, 255, 255, 255, 255];
    expect([...mask.data]).toEqual([...row, ...row]);
  });

  it('keeps what its file leaves transparent', async () => {
    const bytes = await png(4, 4, '#ffffff00').toBuffer();
    const mask = await decodeMask(await openPicture('mask_url', bytes), { widthPx: 4, heightPx: 4 });
    expect(new Set(mask.data)).toEqual(new Set([0]));
  });
});
