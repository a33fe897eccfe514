/** SDXL's added conditioning: the sizes that the picture should look as if it came from, or how pleasing it should be. */

import type { FloatTensor } from './tensor.ts';

/** Pixels. */
export interface PixelSize {
  readonly width: number;
  readonly height: number;
}

/** Aesthetic scores of the refiner's two prompts: diffusers' defaults, on the scale of 1 to 10 of the LAION predictor. */
const AESTHETIC_SCORES = { positive: 6, negative: 2.5 };

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

/** The refiner's `time_ids` [1, 5], for models with `requires_aesthetics_score`: height, width, crop top and left, score. */
export function createAestheticTimeIds(
  { height, width }: PixelSize,
  prompt: 'positive' | 'negative',
): FloatTensor {
  const values = [height, width, 0, 0, AESTHETIC_SCORES[prompt]];
  return { data: Float32Array.from(values), dims: [1, values.length] };
}
