/** A small picture of forming latents by a linear map, without the VAE: a few microseconds instead of a decoder pass. */

import type { RgbImage } from './vae.ts';

/** The map, fitted for one VAE by least squares: latent channels to RGB in 0..1. A model card holds it as `preview`. */
export interface PreviewMap {
  /** One row per latent channel: its weight in red, green and blue. */
  readonly rgb_factors: readonly (readonly number[])[];
  /** Red, green and blue of all-zero latents; 0 when absent. */
  readonly bias?: readonly number[];
}

/** Maps latents [channels, height, width] (scaled, as the denoiser has them) to an image of width x height pixels. */
export function previewRgb(
  latents: Float32Array,
  channels: number,
  height: number,
  width: number,
  { rgb_factors, bias = [0, 0, 0] }: PreviewMap,
): RgbImage {
  if (rgb_factors.length !== channels || latents.length !== channels * height * width) {
    throw new RangeError(
      `previewRgb got ${latents.length} latents and ${rgb_factors.length} rows of factors; expected ${channels} x ${height} x ${width} and ${channels}.`,
    );
  }
  const cells = width * height;
  const data = new Uint8Array(cells * 3);
  for (let cell = 0; cell < cells; cell++) {
    for (let color = 0; color < 3; color++) {
      let value = bias[color] ?? 0;
      for (let channel = 0; channel < channels; channel++) {
        value += latents[channel * cells + cell]! * rgb_factors[channel]![color]!;
      }
      data[cell * 3 + color] = Math.round(Math.min(Math.max(value, 0), 1) * 255);
    }
  }
  return { width, height, data };
}
