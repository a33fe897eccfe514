/** SDXL's size conditioning: the sizes that the picture should look as if it came from. */

import type { FloatTensor } from './tensor.ts';

/** Pixels. */
export interface PixelSize {
  readonly width: number;
  readonly height: number;
}

/**
 * The UNet's `time_ids` [1, 6]: original height and width, crop top and left, target height and width; height comes first.
 * Positive and negative prompt share them unless a negative size is asked for.
 */
export function createTimeIds(
  target: PixelSize,
  original: PixelSize = target,
  crop = { top: 0, left: 0 },
): FloatTensor {
  const values = [original.height, original.width, crop.top, crop.left, target.height, target.width];
  return { data: Float32Array.from(values), dims: [1, values.length] };
}
