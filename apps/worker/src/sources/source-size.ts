/** The size that a picture is painted at when the request leaves it open: the source's, as near as the model allows. */
import {
  leastCommonMultiple,
  type ModelCard,
  PIXELS_MAX,
  SIZE_MAX_PX,
  SIZE_MIN_PX,
  SIZE_MULTIPLE_PX,
} from '@firepod/contract';
import type { PictureSize } from './picture.ts';

/** The sizes that a request names. */
export interface AskedSize {
  width?: number | undefined;
  height?: number | undefined;
}

/**
 * Rounds down to the model's multiple, as diffusers does, after bringing the picture within the card's limits with its
 * proportions kept. A named side stays as it is, and the other follows it.
 */
export function sizeFromSource(asked: AskedSize, source: PictureSize, card: ModelCard): PictureSize {
  const { size_multiple, limits } = card;
  const multiple = leastCommonMultiple(SIZE_MULTIPLE_PX, size_multiple);
  const lowest = Math.max(SIZE_MIN_PX, limits.min_size ?? 0);
  const highest = Math.min(SIZE_MAX_PX, limits.max_size ?? SIZE_MAX_PX);
  const minimum = Math.ceil(lowest / multiple) * multiple;
  const maximum = Math.floor(highest / multiple) * multiple;
  const pixels = Math.min(PIXELS_MAX, limits.max_pixels ?? PIXELS_MAX);
  const { widthPx, heightPx } = source;
  const fit = (side: number) => Math.min(maximum, Math.max(minimum, Math.floor(side / multiple) * multiple));

  if (asked.width !== undefined && asked.height !== undefined) {
    return { widthPx: asked.width, heightPx: asked.height };
  }
  if (asked.width !== undefined)
    return { widthPx: asked.width, heightPx: fit((heightPx * asked.width) / widthPx) };
  if (asked.height !== undefined)
    return { widthPx: fit((widthPx * asked.height) / heightPx), heightPx: asked.height };
  const shrink = Math.min(1, maximum / Math.max(widthPx, heightPx), Math.sqrt(pixels / (widthPx * heightPx)));
  const grow = Math.max(1, minimum / Math.min(widthPx, heightPx));
  const scale = shrink < 1 ? shrink : grow;
  return { widthPx: fit(widthPx * scale), heightPx: fit(heightPx * scale) };
}
