/** Decodes the pictures that a generation starts from, as diffusers does, and refuses what is none. */
import sharp, { type Sharp } from 'sharp';
import type { SourcePicture } from '../engines/engine.ts';
import { type SourceField, sourceNotAllowed, sourceNotAvailable } from './source-error.ts';

/** 8192 × 8192: more than any phone's camera makes, and 200 MB when it is decoded. */
export const SOURCE_PIXELS_MAX = 8192 * 8192;

/** A picture whose header was read, and who asked for it. */
export interface OpenPicture {
  field: SourceField;
  bytes: Buffer;
  /** As it is seen: after the turn that its EXIF orientation asks for. */
  widthPx: number;
  heightPx: number;
}

/** Width and height in pixels. */
export interface PictureSize {
  widthPx: number;
  heightPx: number;
}

/** By its bytes, never by what a server or a file's name says of it: libvips would open far more than these. */
function isPicture(bytes: Buffer): boolean {
  const text = bytes.toString('latin1', 0, 12);
  return (
    text.startsWith('\x89PNG\r\n\x1a\n') || text.startsWith('\xff\xd8\xff') || /^RIFF.{4}WEBP/s.test(text)
  );
}

/**
 * Reads the header alone: what is too large is refused before a pixel of it is decoded.
 * @throws WorkerError `source_not_available` for what is no picture, `invalid_argument` for one of too many pixels
 */
export async function openPicture(field: SourceField, bytes: Buffer): Promise<OpenPicture> {
  if (bytes.length === 0)
    throw sourceNotAvailable(field, 'the file is empty; expected a PNG, JPEG or WebP image.');
  if (!isPicture(bytes)) {
    throw sourceNotAvailable(
      field,
      'the file is no picture that is read here; expected a PNG, JPEG or WebP image.',
    );
  }
  const { autoOrient } = await sharp(bytes, { limitInputPixels: false })
    .metadata()
    .catch((cause) => {
      throw damaged(field, cause);
    });
  const { width: widthPx, height: heightPx } = autoOrient;
  if (widthPx * heightPx > SOURCE_PIXELS_MAX) {
    const expected = `at most ${SOURCE_PIXELS_MAX} pixels, as 8192 x 8192 has`;
    throw sourceNotAllowed(field, `the picture has ${widthPx} x ${heightPx} pixels; expected ${expected}.`);
  }
  return { field, bytes, widthPx, heightPx };
}

/**
 * The picture in RGB at the given size, stretched where its shape is another, by Lanczos (diffusers' default). What is
 * transparent shows white; of an animation the first frame is taken.
 * @throws WorkerError `source_not_available` when the file is cut off or damaged
 */
export async function decodeImage(
  picture: OpenPicture,
  { widthPx, heightPx }: PictureSize,
): Promise<SourcePicture> {
  const pipeline = decoding(picture, '#ffffff').resize(widthPx, heightPx, {
    fit: 'fill',
    kernel: 'lanczos3',
    // Shrinking inside the JPEG decoder would be another filter.
    fastShrinkOnLoad: false,
  });
  return { ...(await rawOf(pipeline, picture.field)), channels: 3 };
}

/**
 * The mask at the given size: 255 where it is at least half white, else 0. Each pixel is the nearest one of the file, so
 * that no edge becomes gray. What is transparent counts as black.
 * @throws WorkerError `source_not_available` when the file is cut off or damaged
 */
export async function decodeMask(
  picture: OpenPicture,
  { widthPx, heightPx }: PictureSize,
): Promise<SourcePicture> {
  const { data: rgb, width, height } = await rawOf(decoding(picture, '#000000'), picture.field);
  const data = new Uint8Array(widthPx * heightPx);
  for (let row = 0; row < heightPx; row += 1) {
    const sourceRow = Math.floor(((row + 0.5) * height) / heightPx);
    for (let column = 0; column < widthPx; column += 1) {
      const sourceColumn = Math.floor(((column + 0.5) * width) / widthPx);
      const at = (sourceRow * width + sourceColumn) * 3;
      // ITU-R 601 luma, in PIL's fixed-point form (`convert("L")`).
      const luma = (rgb[at]! * 19595 + rgb[at + 1]! * 38470 + rgb[at + 2]! * 7471 + 0x8000) >> 16;
      if (luma / 255 >= 0.5) data[row * widthPx + column] = 255;
    }
  }
  return { data, width: widthPx, height: heightPx, channels: 1 };
}

function decoding({ bytes }: OpenPicture, background: string): Sharp {
  return sharp(bytes, { limitInputPixels: SOURCE_PIXELS_MAX, failOn: 'error' })
    .autoOrient()
    .flatten({ background })
    .toColourspace('srgb');
}

async function rawOf(pipeline: Sharp, field: SourceField) {
  try {
    const { data, info } = await pipeline
      .removeAlpha()
      .raw({ depth: 'uchar' })
      .toBuffer({ resolveWithObject: true });
    return {
      data: new Uint8Array(data.buffer, data.byteOffset, data.length),
      width: info.width,
      height: info.height,
    };
  } catch (cause) {
    throw damaged(field, cause);
  }
}

function damaged(field: SourceField, cause: unknown) {
  return sourceNotAvailable(
    field,
    'the picture is cut off or damaged; expected a whole PNG, JPEG or WebP image.',
    cause,
  );
}
