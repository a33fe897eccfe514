/** Latents to pixels: undoes the scaling of the latents, runs the VAE's decoder and rounds to bytes. */

import { DiffusionError } from './errors.ts';
import type { VaeConfig } from './model-folder.ts';
import type { OnnxSession } from './onnx-session.ts';
import type { FloatTensor } from './tensor.ts';

/** An image of 8-bit RGB, row by row from the top. */
export interface RgbImage {
  readonly width: number;
  readonly height: number;
  /** width * height * 3 bytes. */
  readonly data: Uint8Array;
}

/** Decodes one image's latents [1, channels, h, w]. Throws `inference_failed` when the decoder returns NaN. */
export async function decodeLatents(
  session: OnnxSession,
  latents: FloatTensor,
  config: VaeConfig,
): Promise<RgbImage> {
  const { sample } = await session.run({ latent_sample: unscaleLatents(latents, config) }, ['sample']);
  return toRgbImage(sample);
}

/** latents / scaling_factor, or latents * std / scaling_factor + mean for VAEs with per-channel statistics; of pictures or of videos. */
export function unscaleLatents(latents: FloatTensor, config: VaeConfig): FloatTensor {
  const { scalingFactor, latentsMean, latentsStd } = config;
  const cells = latents.dims.slice(2).reduce((product, dim) => product * dim);
  const channels = latents.dims[1]!;
  const data = latents.data.map((value, index) => {
    if (!latentsMean || !latentsStd) return value / scalingFactor;
    const channel = Math.floor(index / cells) % channels;
    return (value * latentsStd[channel]!) / scalingFactor + latentsMean[channel]!;
  });
  return { data, dims: latents.dims };
}

/** [1, 3, height, width] in -1..1 to interleaved bytes, halves rounded to even as numpy does. */
export function toRgbImage(sample: FloatTensor): RgbImage {
  const [, channels, height, width] = sample.dims as [number, number, number, number];
  if (channels !== 3) {
    throw new DiffusionError('unsupported', `The VAE decodes to ${channels} channels; expected 3 (RGB).`);
  }
  const cells = width * height;
  // What is stored in it is clamped, and rounded as it must be.
  const data = new Uint8ClampedArray(cells * 3);
  for (let channel = 0; channel < 3; channel++) {
    for (let cell = 0; cell < cells; cell++) {
      const value = sample.data[channel * cells + cell]!;
      if (Number.isNaN(value)) {
        throw new DiffusionError(
          'inference_failed',
          'The VAE decoder returned NaN; a half-precision export may overflow (the original SDXL VAE does), use a float32 one.',
        );
      }
      data[cell * 3 + channel] = (value / 2 + 0.5) * 255;
    }
  }
  return { width, height, data: new Uint8Array(data.buffer) };
}
