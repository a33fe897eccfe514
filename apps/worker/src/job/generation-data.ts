/** What a completed generation's document says about its pictures, wherever their files lie. */
import type { ImageGenerationData } from '@firepod/contract';
import type { Painting } from './painting.ts';

/** Where the pictures can be read, in their order. */
export interface ImageUrls {
  images: string[];
  thumbnails: string[];
}

/** The document's `generation_data`: results, and a recipe that is enough to make the same bytes again. */
export function imageGenerationData(
  { request, description, result, encoded, warnings }: Painting,
  urls: ImageUrls,
): ImageGenerationData {
  const { card, modelSha256, engine } = description;
  return {
    image_urls: urls.images,
    seed: request.seed,
    seeds: result.seeds,
    width: request.width,
    height: request.height,
    thumbnail_urls: urls.thumbnails,
    blurhash: encoded.blurhash,
    gpu_seconds: rounded(result.timings.total),
    timings: Object.fromEntries(
      Object.entries(result.timings).map(([phase, seconds]) => [phase, rounded(seconds)]),
    ),
    warnings,
    recipe: { request, model: { id: card.id, version: card.version, sha256: modelSha256 }, engine },
  };
}

/** Seconds to the millisecond. */
function rounded(seconds: number): number {
  return Math.round(seconds * 1000) / 1000;
}
