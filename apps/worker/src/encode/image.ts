/** Encodes finished pictures: the file itself with its parameters inside, its thumbnail or poster, its blur hash and its preview. */
import { contentTypeOf, type OutputFormat, PREVIEW_MAX_BYTES } from '@firepod/contract';
import { encode as encodeBlurHash } from 'blurhash';
import sharp, { type Sharp } from 'sharp';
import type { Frame } from '../engines/engine.ts';
import { withJpegUserComment, withWebpUserComment } from './exif.ts';
import { withPngText } from './png-text.ts';

/** Longest edge of a thumbnail. */
const THUMBNAIL_EDGE_PX = 256;
/** JPEG and WebP quality: no visible loss on photographs, a tenth of a PNG's size. */
const LOSSY_QUALITY = 92;
const THUMBNAIL_QUALITY = 80;

/** The keyword under which AUTOMATIC1111's web UI, and every reader of its files, keeps the parameters in a PNG. */
const PNG_PARAMETERS_KEYWORD = 'parameters';

/** A file that is ready to be stored. */
export interface EncodedFile {
  bytes: Buffer;
  contentType: string;
}

/**
 * Encodes one picture. The same frame, format and parameters give the same bytes.
 * @param parameters the text that the file carries: in a PNG's text chunk, else as EXIF user comment
 */
export async function encodeImage(
  frame: Frame,
  format: OutputFormat,
  parameters: string,
): Promise<EncodedFile> {
  const contentType = contentTypeOf(format);
  switch (format) {
    case 'png': {
      const png = await open(frame).png().toBuffer();
      return { contentType, bytes: withPngText(png, PNG_PARAMETERS_KEYWORD, parameters) };
    }
    case 'jpeg': {
      const jpeg = await open(frame).jpeg({ quality: LOSSY_QUALITY, chromaSubsampling: '4:4:4' }).toBuffer();
      return { contentType, bytes: withJpegUserComment(jpeg, parameters) };
    }
    case 'webp': {
      const webp = await open(frame).webp({ quality: LOSSY_QUALITY }).toBuffer();
      return { contentType, bytes: withWebpUserComment(webp, frame, parameters) };
    }
  }
}

/** A WebP of at most 256 pixels a side; small pictures are not enlarged. */
export async function encodeThumbnail(frame: Frame): Promise<EncodedFile> {
  const bytes = await open(frame)
    .resize(THUMBNAIL_EDGE_PX, THUMBNAIL_EDGE_PX, { fit: 'inside', withoutEnlargement: true })
    .webp({ quality: THUMBNAIL_QUALITY })
    .toBuffer();
  return { bytes, contentType: contentTypeOf('webp') };
}

/** A WebP of the frame's own size, to stand in a video's place until it plays. */
export async function encodePoster(frame: Frame): Promise<EncodedFile> {
  const bytes = await open(frame).webp({ quality: THUMBNAIL_QUALITY }).toBuffer();
  return { bytes, contentType: contentTypeOf('webp') };
}

/** A BlurHash (https://blurha.sh) of the picture: four components along the longer edge, three along the shorter. */
export async function blurHashOf(frame: Frame): Promise<string> {
  // The hash holds twelve colours, so it is computed from few pixels.
  const { data, info } = await open(frame)
    .resize(32, 32, { fit: 'inside' })
    .ensureAlpha()
    .raw()
    .toBuffer({ resolveWithObject: true });
  const [componentsX, componentsY] = frame.widthPx >= frame.heightPx ? [4, 3] : [3, 4];
  return encodeBlurHash(new Uint8ClampedArray(data), info.width, info.height, componentsX, componentsY);
}

/** A data URL of a forming picture, small enough to live in a document; undefined when it cannot be made that small. */
export async function encodePreview(frame: Frame): Promise<string | undefined> {
  for (const [edgePx, quality] of [
    [128, 70],
    [96, 50],
    [64, 40],
  ] as const) {
    const bytes = await open(frame)
      .resize(edgePx, edgePx, { fit: 'inside' })
      .webp({ quality, effort: 2 })
      .toBuffer();
    const url = dataUrl({ bytes, contentType: 'image/webp' });
    if (url.length <= PREVIEW_MAX_BYTES) return url;
  }
  return undefined;
}

/** A file as a data URL. */
export function dataUrl({ bytes, contentType }: EncodedFile): string {
  return `data:${contentType};base64,${bytes.toString('base64')}`;
}

function open(frame: Frame): Sharp {
  return sharp(frame.rgb, { raw: { width: frame.widthPx, height: frame.heightPx, channels: 3 } });
}
