import { describe, expect, it } from 'vitest';
import { toRgbImage, unscaleLatents } from './vae.ts';

const config = { scalingFactor: 0.5, latentsMean: undefined, latentsStd: undefined, forceUpcast: false };

describe('unscaleLatents', () => {
  const latents = { data: Float32Array.of(1, 2, 3, 4), dims: [1, 2, 1, 2] };

  it('divides by the scaling factor', () => {
    expect(unscaleLatents(latents, config)).toEqual({
      data: Float32Array.of(2, 4, 6, 8),
      dims: [1, 2, 1, 2],
    });
  });

  it('applies the deviation and mean of each channel when the VAE has them', () => {
    const { data } = unscaleLatents(latents, { ...config, latentsMean: [10, -1], latentsStd: [1, 0.5] });
    expect(data).toEqual(Float32Array.of(12, 14, 2, 3));
  });
});

describe('toRgbImage', () => {
  it('interleaves channels, clamps, and rounds halves to even', () => {
    // 0 stands for byte 127.5, the only exact half.
    const sample = { data: Float32Array.of(-1, 2, 0, -5, 1, 0.5), dims: [1, 3, 1, 2] };
    expect(toRgbImage(sample)).toEqual({
      width: 2,
      height: 1,
      data: Uint8Array.of(0, 128, 255, 255, 0, 191),
    });
  });

  it('reports NaN instead of painting black', () => {
    const sample = { data: Float32Array.of(0, 0, Number.NaN), dims: [1, 3, 1, 1] };
    expect(() => toRgbImage(sample)).toThrow(expect.objectContaining({ code: 'inference_failed' }));
  });
});
