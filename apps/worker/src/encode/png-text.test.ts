import fc from 'fast-check';
import sharp from 'sharp';
import { beforeAll, describe, expect, it } from 'vitest';
import { readPngText, withPngText } from './png-text.ts';

describe('the text of a PNG', () => {
  let png: Buffer;
  beforeAll(async () => {
    png = await sharp({ create: { width: 8, height: 8, channels: 3, background: '#336699' } })
      .png()
      .toBuffer();
  });

  it('is read back by another program, and the pixels stay as they were', async () => {
    const withText = withPngText(png, 'parameters', 'a fox\nSteps: 2, Seed: 7');
    const { comments } = await sharp(withText).metadata();
    expect(comments).toEqual([{ keyword: 'parameters', text: 'a fox\nSteps: 2, Seed: 7' }]);
    expect(await sharp(withText).raw().toBuffer()).toEqual(await sharp(png).raw().toBuffer());
  });

  it('is a Latin-1 chunk while it can be one, else a UTF-8 chunk', async () => {
    expect(withPngText(png, 'parameters', 'café').includes('tEXtparameters\0caf\xe9', 0, 'latin1')).toBe(
      true,
    );
    const snowman = withPngText(png, 'parameters', 'snow ☃ 雪');
    expect(snowman.includes('iTXtparameters', 0, 'latin1')).toBe(true);
    const { comments } = await sharp(snowman).metadata();
    expect(comments).toEqual([{ keyword: 'parameters', text: 'snow ☃ 雪' }]);
  });

  it('comes back whole, whatever it says', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', maxLength: 300 }), (text) => {
        expect(readPngText(withPngText(png, 'parameters', text), 'parameters')).toBe(text);
      }),
      { numRuns: 200 },
    );
  });

  it('is undefined where there is none under that keyword', () => {
    expect(readPngText(withPngText(png, 'Title', 'x'), 'parameters')).toBeUndefined();
  });

  it('refuses a file that is no PNG', () => {
    expect(() => withPngText(Buffer.from('GIF89a, certainly not a PNG'), 'parameters', 'x')).toThrow(
      'Expected a whole PNG file',
    );
  });
});
