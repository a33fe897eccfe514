import { describe, expect, it } from 'vitest';
import { previewVideoRgb, toRgbFrames } from './video-frames.ts';

describe('toRgbFrames', () => {
  it('gives each frame the planes of its own time', () => {
    // Two frames of one pixel: red goes from black to white, green is grey, blue from white to black.
    const sample = { data: Float32Array.of(-1, 1, 0, 0, 2, -2), dims: [1, 3, 2, 1, 1] };
    expect(toRgbFrames(sample).map(({ data }) => [...data])).toEqual([
      [0, 128, 255],
      [255, 128, 0],
    ]);
  });
});

describe('previewVideoRgb', () => {
  it('shows the middle frame', () => {
    const latents = Float32Array.of(0, 1, 0, 0, 0.5, 0); // two channels of three frames of one cell
    const map = { rgb_factors: [[1, 0, 0], [0, 1, 0]], bias: [0, 0, 0.2] }; // biome-ignore format: a matrix
    expect(previewVideoRgb(latents, [1, 2, 3, 1, 1], map)).toEqual({
      width: 1,
      height: 1,
      data: Uint8Array.of(255, 128, 51),
    });
  });
});
