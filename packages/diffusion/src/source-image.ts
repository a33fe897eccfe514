/** Decoded source pictures and masks to the tensors that the VAE's encoder and the blending take. */

import type { FloatTensor } from './tensor.ts';

/** A decoded picture of 8-bit samples, row by row from the top. */
export interface SourceImage {
  /** width * height * channels bytes. */
  readonly data: Uint8Array | Uint8ClampedArray;
  readonly width: number;
  readonly height: number;
  /** 1: gray; 3: RGB; 4: RGB with alpha, which is left out as PIL's `convert("RGB")` leaves it out. */
  readonly channels: 1 | 3 | 4;
}

/** [1, 3, height, width] in -1..1. */
export function toImageTensor({ data, width, height, channels }: SourceImage): FloatTensor {
  const cells = width * height;
  const values = new Float32Array(cells * 3);
  for (let color = 0; color < 3; color++) {
    const offset = channels === 1 ? 0 : color;
    for (let cell = 0; cell < cells; cell++) {
      values[color * cells + cell] = Math.fround(data[cell * channels + offset]! / 255) * 2 - 1;
    }
  }
  return { data: values, dims: [1, 3, height, width] };
}

/** [1, 1, height, width]: 1 where the mask is at least half white and so to be painted again, else 0. */
export function toMaskTensor({ data, width, height, channels }: SourceImage): FloatTensor {
  const cells = width * height;
  const values = new Float32Array(cells);
  for (let cell = 0; cell < cells; cell++) {
    const start = cell * channels;
    const luma = channels === 1 ? data[start]! : lumaOf(data[start]!, data[start + 1]!, data[start + 2]!);
    values[cell] = luma / 255 >= 0.5 ? 1 : 0;
  }
  return { data: values, dims: [1, 1, height, width] };
}

/** The picture with what is to be painted again set to middle gray (0): what an inpainting UNet is shown. */
export function maskOut(image: FloatTensor, mask: FloatTensor): FloatTensor {
  const cells = mask.data.length;
  return {
    data: image.data.map((value, index) => (mask.data[index % cells]! < 0.5 ? value : 0)),
    dims: image.dims,
  };
}

/** The mask at the size of the latents: the top left pixel of each cell, as torch's nearest interpolation takes it. */
export function toLatentMask(mask: FloatTensor, factor: number): FloatTensor {
  const [, , height, width] = mask.dims as [number, number, number, number];
  const [rows, columns] = [height / factor, width / factor];
  const data = Float32Array.from(
    { length: rows * columns },
    (_, cell) => mask.data[Math.floor(cell / columns) * factor * width + (cell % columns) * factor]!,
  );
  return { data, dims: [1, 1, rows, columns] };
}

/** ITU-R 601 luma in PIL's fixed-point form (`convert("L")`). */
function lumaOf(red: number, green: number, blue: number): number {
  return (red * 19595 + green * 38470 + blue * 7471 + 0x8000) >> 16;
}
