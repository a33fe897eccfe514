/** From an engine's frames to files: pictures, thumbnails and a blur hash, and the names that they get in Storage. */
import { imageObjectName, type ResolvedImageRequest, thumbnailObjectName } from '@firepod/contract';
import { blurHashOf, type EncodedImage, encodeImage, encodeThumbnail } from '../encode/image.ts';
import { parametersText } from '../encode/parameters.ts';
import type { EngineDescription, GeneratedFrames } from '../engines/engine.ts';
import type { NamedFile } from '../storage/media-store.ts';
import { VERSION } from '../version.ts';

/** The encoded pictures of one request. */
export interface EncodedImages {
  images: EncodedImage[];
  thumbnails: EncodedImage[];
  blurhash: string;
}

/** Encodes every frame, its thumbnail, and the blur hash of the first. */
export async function encodeFrames(
  { frames, seeds }: GeneratedFrames,
  request: ResolvedImageRequest,
  { card, modelSha256 }: EngineDescription,
): Promise<EncodedImages> {
  const source = { modelName: card.id, modelSha256, version: `Firepod ${VERSION}` };
  const images = frames.map((frame, index) =>
    encodeImage(frame, request.output_format, parametersText(request, seeds[index]!, source)),
  );
  return {
    images: await Promise.all(images),
    thumbnails: await Promise.all(frames.map(encodeThumbnail)),
    blurhash: await blurHashOf(frames[0]!),
  };
}

/** The Storage names of a request's files: pictures first, then their thumbnails. */
export function objectNames(userId: string, fileUid: string, request: ResolvedImageRequest): string[] {
  const indexes = Array.from({ length: request.num_images }, (_, index) => index);
  return [
    ...indexes.map((index) => imageObjectName(userId, fileUid, index, request.output_format)),
    ...indexes.map((index) => thumbnailObjectName(userId, fileUid, index)),
  ];
}

/** The pictures and thumbnails under their `objectNames`. */
export function namedFiles({ images, thumbnails }: EncodedImages, names: readonly string[]): NamedFile[] {
  return [...images, ...thumbnails].map((image, index) => ({ ...image, name: names[index]! }));
}
