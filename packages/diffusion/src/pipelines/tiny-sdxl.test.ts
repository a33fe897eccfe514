import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { RgbImage } from '../vae.ts';
import { loadStableDiffusionXl, type StableDiffusionXl } from './stable-diffusion-xl.ts';

const FOLDER = join(import.meta.dirname, '..', '..', '..', '..', 'models', 'tiny-sdxl');

/** The share of pixels on the outer 4-pixel frame that are clearly more blue than red and green. */
function blueShareOfBorder({ width, height, data }: RgbImage): number {
  let border = 0;
  let blue = 0;
  for (let row = 0; row < height; row++) {
    for (let column = 0; column < width; column++) {
      if (Math.min(row, column, height - 1 - row, width - 1 - column) >= 4) continue;
      const [r, g, b] = data.subarray((row * width + column) * 3) as unknown as [number, number, number];
      border++;
      if (b > r + 30 && b > g + 10) blue++;
    }
  }
  return blue / border;
}

// 75 steps of a real network: seconds on a quiet machine, a minute on a crowded one.
describe('models/tiny-sdxl, the model that Firepod ships', { timeout: 180_000 }, () => {
  let pipeline: StableDiffusionXl;
  beforeAll(async () => {
    pipeline = await loadStableDiffusionXl({ folder: FOLDER, threads: 1 });
  });
  afterAll(() => pipeline.dispose());

  async function paint(prompt: string): Promise<RgbImage> {
    const { images } = await pipeline.textToImage({
      prompt,
      negativePrompt: null,
      width: 128,
      height: 128,
      numInferenceSteps: 25,
      guidanceScale: 3,
      scheduler: 'DDIM',
      seeds: [7],
    });
    return images[0]!;
  }

  it('paints the background that the prompt names, the same bytes for the same seed, and follows another prompt', async () => {
    const apple = await paint('a red apple on a blue background');
    expect(blueShareOfBorder(apple)).toBeGreaterThan(0.8);
    expect((await paint('a red apple on a blue background')).data).toEqual(apple.data);

    const other = await paint('a red apple on a yellow background');
    expect(blueShareOfBorder(other)).toBeLessThan(0.2);
  });
});
