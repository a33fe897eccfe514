import { modelCardSchema } from '@firepod/contract';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { sizeFromSource } from './source-size.ts';

const card = modelCardSchema.parse({
  id: 'test',
  name: 'Test',
  version: '1',
  tasks: ['img2img'],
  native_size: { width: 128, height: 128 },
  size_multiple: 32,
  defaults: {},
  limits: { min_size: 64, max_size: 512, max_pixels: 512 * 384 },
  licence: 'MIT',
});

it.each([
  [{}, [128, 96], [128, 96]],
  [{}, [130, 100], [128, 96]],
  [{}, [4000, 3000], [512, 384]],
  [{}, [512, 512], [416, 416]],
  [{}, [20, 10], [128, 64]],
  [{}, [10_000, 10], [512, 64]],
  [{ width: 256 }, [200, 100], [256, 128]],
  [{ height: 64 }, [200, 100], [128, 64]],
  [{ width: 100, height: 64 }, [200, 100], [100, 64]],
])('asked for %j, a picture of %j is painted at %j', (asked, [widthPx, heightPx], [width, height]) => {
  const source = { widthPx: widthPx!, heightPx: heightPx! };
  expect(sizeFromSource(asked, source, card)).toEqual({ widthPx: width, heightPx: height });
});

it('is a size that the card allows, whatever the source is', () => {
  const side = fc.integer({ min: 1, max: 30_000 });
  fc.assert(
    fc.property(side, side, (widthPx, heightPx) => {
      const size = sizeFromSource({}, { widthPx, heightPx }, card);
      for (const px of Object.values(size)) {
        expect(px % 32).toBe(0);
        expect(px).toBeGreaterThanOrEqual(64);
        expect(px).toBeLessThanOrEqual(512);
      }
      expect(size.widthPx * size.heightPx).toBeLessThanOrEqual(512 * 384);
    }),
  );
});
