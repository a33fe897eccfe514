import { describe, expect, it } from 'vitest';
import { previewRgb } from './preview.ts';

describe('previewRgb', () => {
  it('maps channels to colours linearly, pixel by pixel, and clamps', () => {
    // Two channels, two cells: (0.5, 0) and (2, -1).
    const image = previewRgb(Float32Array.of(0.5, 2, 0, -1), 2, 1, 2, {
      rgb_factors: [
        [0.4, 0, 1],
        [0, 0.25, 0],
      ],
      bias: [0.2, 0.5, 0],
    });
    expect(image).toEqual({ width: 2, height: 1, data: Uint8Array.of(102, 128, 128, 255, 64, 255) });
  });

  it('refuses factors and latents that do not fit the shape', () => {
    expect(() => previewRgb(new Float32Array(8), 4, 1, 2, { rgb_factors: [[1, 1, 1]] })).toThrow(RangeError);
    expect(() => previewRgb(new Float32Array(7), 1, 2, 4, { rgb_factors: [[1, 1, 1]] })).toThrow(/7 latents/);
  });
});
