/** From the addresses in a request to what an engine takes: the source and its mask, read, checked and decoded. */
import { createHash } from 'node:crypto';
import type { JobInput, ModelCard, ResolvedRequest } from '@firepod/contract';
import type { EngineSources } from '../engines/engine.ts';
import { decodeImage, decodeMask, type OpenPicture, openPicture } from './picture.ts';
import { type SourceField, sourceNotAllowed } from './source-error.ts';
import type { SourceReader } from './source-reader.ts';
import { sizeFromSource } from './source-size.ts';

/** The sources of a request whose files are here and have been looked at. */
export interface OpenSources {
  image: OpenPicture;
  mask: OpenPicture | null;
}

/** What a recipe says of a source: enough to know it again, and no address, which may carry a signature. */
interface SourceNote {
  /** Of the file. */
  sha256: string;
  width: number;
  height: number;
}

/** The notes of a request's sources, as its recipe holds them. */
export interface SourceNotes {
  image: SourceNote;
  mask?: SourceNote;
}

/**
 * Reads what the request starts from; null for the tasks that start from nothing.
 * @throws WorkerError naming the field, or the signal's reason
 */
export async function openSources(
  { request, userId }: JobInput,
  reader: SourceReader,
  signal: AbortSignal,
): Promise<OpenSources | null> {
  if (!('image_url' in request)) return null;
  const open = async (field: SourceField, url: string) =>
    openPicture(field, await reader.read(field, url, { userId, signal }));
  const [image, mask] = await Promise.all([
    open('image_url', request.image_url),
    'mask_url' in request ? open('mask_url', request.mask_url) : null,
  ]);
  if (mask !== null && (mask.widthPx !== image.widthPx || mask.heightPx !== image.heightPx)) {
    const size = `${mask.widthPx} x ${mask.heightPx} pixels`;
    throw sourceNotAllowed(
      'mask_url',
      `the mask has ${size}; expected the image's ${image.widthPx} x ${image.heightPx}.`,
    );
  }
  return { image, mask };
}

/** The input with the size that it leaves open taken from its source. */
export function withSourceSize(input: JobInput, { image }: OpenSources, card: ModelCard): JobInput {
  const { request } = input;
  if (!('image_url' in request)) return input;
  const { widthPx: width, heightPx: height } = sizeFromSource(request, image, card);
  return { ...input, request: { ...request, width, height } };
}

/**
 * Decodes the sources at the request's size.
 * @throws WorkerError `source_not_available` for a damaged file
 */
export async function decodeSources(
  { image, mask }: OpenSources,
  request: ResolvedRequest,
): Promise<EngineSources | undefined> {
  if (request.task_type === 'text2video') return undefined;
  const size = { widthPx: request.width, heightPx: request.height };
  const decoded = await decodeImage(image, size);
  return mask === null ? { image: decoded } : { image: decoded, mask: await decodeMask(mask, size) };
}

/** The notes for the recipe. */
export function notesOf({ image, mask }: OpenSources): SourceNotes {
  return { image: noteOf(image), ...(mask === null ? {} : { mask: noteOf(mask) }) };
}

function noteOf({ bytes, widthPx, heightPx }: OpenPicture): SourceNote {
  return { sha256: createHash('sha256').update(bytes).digest('hex'), width: widthPx, height: heightPx };
}
