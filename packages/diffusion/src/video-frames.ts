/** Videos as the VAE has them, to pictures: every frame of a decoded clip, or a rough one of forming latents. */

import { type PreviewMap, previewRgb } from './preview.ts';
import type { FloatTensor } from './tensor.ts';
import { type RgbImage, toRgbImage } from './vae.ts';

/** [1, 3, frames, height, width] in -1..1 to one image a frame; errors as toRgbImage. */
export function toRgbFrames(sample: FloatTensor): RgbImage[] {
  const [, channels, frames, height, width] = sample.dims as [number, number, number, number, number];
  return Array.from({ length: frames }, (_, index) =>
    toRgbImage({ data: frameOf(sample, index), dims: [1, channels, height, width] }),
  );
}

/**
 * The middle of forming latents [1, channels, frames, height, width] as a picture of width x height pixels, by the linear map of the
 * model's card: where a motion is half done says more than its first frame.
 */
export function previewVideoRgb(
  latents: Float32Array,
  latentsShape: readonly number[],
  map: PreviewMap,
): RgbImage {
  const [, channels, frames, height, width] = latentsShape as [number, number, number, number, number];
  const middle = frameOf({ data: latents, dims: latentsShape }, Math.floor(frames / 2));
  return previewRgb(middle, channels, height, width, map);
}

/** One frame's planes, channels x height x width, from a tensor that has the frames between channels and height. */
function frameOf({ data, dims }: FloatTensor, index: number): Float32Array {
  const [, channels, frames, height, width] = dims as [number, number, number, number, number];
  const cells = height * width;
  const planes = new Float32Array(channels * cells);
  for (let channel = 0; channel < channels; channel++) {
    const start = (channel * frames + index) * cells;
    planes.set(data.subarray(start, start + cells), channel * cells);
  }
  return planes;
}
