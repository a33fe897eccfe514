/** From an engine's frames to files: pictures or a video, thumbnails or a poster, and the names that they get in Storage. */
import {
  imageObjectName,
  type ResolvedImageRequest,
  type ResolvedRequest,
  type ResolvedVideoRequest,
  thumbnailObjectName,
  videoObjectName,
} from '@firepod/contract';
import { blurHashOf, type EncodedFile, encodeImage, encodePoster, encodeThumbnail } from '../encode/image.ts';
import { type ParametersSource, parametersText } from '../encode/parameters.ts';
import { encodeVideo } from '../encode/video.ts';
import type { Frame, GeneratedFrames } from '../engines/engine.ts';
import type { NamedFile } from '../storage/media-store.ts';

/** The encoded files of one request. */
export interface EncodedMedia {
  /** The pictures in their order, or the one video. */
  results: EncodedFile[];
  /** A small picture of each result; of a video, its poster. */
  thumbnails: EncodedFile[];
  /** Of the first frame. */
  blurhash: string;
}

/** What frames are encoded with. */
export interface EncodeOptions {
  source: ParametersSource;
  ffmpegPath: string | null;
  signal: AbortSignal;
}

/** @throws the signal's reason, or WorkerError */
export async function encodeFrames(
  generated: GeneratedFrames,
  request: ResolvedRequest,
  options: EncodeOptions,
): Promise<EncodedMedia> {
  const [files, blurhash] = await Promise.all([
    request.task_type === 'text2video'
      ? encodeAsVideo(generated, request, options)
      : encodeAsImages(generated, request, options),
    blurHashOf(generated.frames[0]!),
  ]);
  return { ...files, blurhash };
}

async function encodeAsImages(
  { frames, seeds }: GeneratedFrames,
  request: ResolvedImageRequest,
  { source }: EncodeOptions,
) {
  const encodeResult = (frame: Frame, index: number) =>
    encodeImage(frame, request.output_format, parametersText(request, seeds[index]!, source));
  const [results, thumbnails] = await Promise.all([
    Promise.all(frames.map(encodeResult)),
    Promise.all(frames.map(encodeThumbnail)),
  ]);
  return { results, thumbnails };
}

async function encodeAsVideo(
  { frames, seeds }: GeneratedFrames,
  request: ResolvedVideoRequest,
  { source, ffmpegPath, signal }: EncodeOptions,
) {
  const parameters = parametersText(request, seeds[0]!, source);
  const video = await encodeVideo(frames, { fps: request.fps, parameters, ffmpegPath, signal });
  // The first frame: a player shows the poster until it shows this frame.
  return { results: [video], thumbnails: [await encodePoster(frames[0]!)] };
}

/** The Storage names of a request's files: results first, then their thumbnails. */
export function objectNames(userId: string, fileUid: string, request: ResolvedRequest): string[] {
  if (request.task_type === 'text2video') {
    return [videoObjectName(userId, fileUid), thumbnailObjectName(userId, fileUid, 0)];
  }
  const indexes = Array.from({ length: request.num_images }, (_, index) => index);
  return [
    ...indexes.map((index) => imageObjectName(userId, fileUid, index, request.output_format)),
    ...indexes.map((index) => thumbnailObjectName(userId, fileUid, index)),
  ];
}

/** The results and thumbnails under their `objectNames`. */
export function namedFiles({ results, thumbnails }: EncodedMedia, names: readonly string[]): NamedFile[] {
  return [...results, ...thumbnails].map((file, index) => ({ ...file, name: names[index]! }));
}
