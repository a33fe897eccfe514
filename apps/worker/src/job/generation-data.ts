/** What a completed generation's document says about its files, wherever they lie. */
import type { GenerationData, ResolvedRequest } from '@firepod/contract';
import type { Painting } from './painting.ts';

/** Where the files can be read, in their order. */
export interface MediaUrls {
  results: string[];
  thumbnails: string[];
}

/** The document's `generation_data`: results, and a recipe that is enough to make the same bytes again. */
export function generationData(painting: Painting, urls: MediaUrls): GenerationData {
  const { request, description, result, encoded, warnings, sources } = painting;
  const { card, modelSha256, engine } = description;
  const shared = {
    seed: request.seed,
    seeds: result.seeds,
    thumbnail_urls: urls.thumbnails,
    blurhash: encoded.blurhash,
    gpu_seconds: rounded(result.timings.total),
    timings: Object.fromEntries(
      Object.entries(result.timings).map(([phase, seconds]) => [phase, rounded(seconds)]),
    ),
    warnings,
    recipe: {
      request: withoutSecrets(request),
      ...(sources === null ? {} : { sources }),
      model: { id: card.id, version: card.version, sha256: modelSha256 },
      engine,
    },
  };
  if (request.task_type !== 'text2video') {
    return { ...shared, image_urls: urls.results, width: request.width, height: request.height };
  }
  const { fps, video_width: width, video_height: height } = request;
  const num_frames = result.frames.length;
  return {
    ...shared,
    video_url: urls.results[0]!,
    poster_url: urls.thumbnails[0]!,
    width,
    height,
    fps,
    num_frames,
    duration_seconds: rounded(num_frames / fps),
  };
}

/**
 * A data URL is known again by its digest, and would be in the document twice; the query of an address may be a
 * signature that reads more than the picture.
 */
function withoutSecrets(request: ResolvedRequest): object {
  const bare = (url: string) =>
    url.startsWith('data:') ? url.slice(0, url.indexOf(';')) : url.replace(/[?#].*$/s, '');
  return Object.fromEntries(
    Object.entries(request).map(([field, value]) => [
      field,
      field === 'image_url' || field === 'mask_url' ? bare(String(value)) : value,
    ]),
  );
}

/** To the thousandth: seconds to the millisecond. */
function rounded(seconds: number): number {
  return Math.round(seconds * 1000) / 1000;
}
