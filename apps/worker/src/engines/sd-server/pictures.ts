/** Pixels in and out of the server: sources as PNG in base64, results as frames. */
import sharp from 'sharp';
import type { EngineSources, Frame, SourcePicture } from '../engine.ts';
import { readJpegAvi } from './avi.ts';
import type { EncodedSources } from './job-body.ts';

/** Encodes lossless and fast: the bytes only cross the loopback. */
const PNG = { compressionLevel: 1, adaptiveFiltering: false } as const;

/** The pictures of img2img and inpaint. */
export async function encodeSources({ image, mask }: EngineSources): Promise<EncodedSources> {
  return { image: await encodePicture(image), mask: mask && (await encodePicture(mask)) };
}

async function encodePicture({ data, width, height, channels }: SourcePicture): Promise<string> {
  const png = await sharp(data, { raw: { width, height, channels } }).png(PNG).toBuffer();
  return png.toString('base64');
}

/** A frame from the base64 of a PNG. @throws Error when it is no picture of this size */
export async function decodePicture(base64: string, widthPx: number, heightPx: number): Promise<Frame> {
  return decodeFrame(Buffer.from(base64, 'base64'), widthPx, heightPx);
}

/** A video's frames in time. @throws Error when it is no such video of this size */
export async function decodeVideo(
  base64: string,
  { frameCount, widthPx, heightPx }: { frameCount: number; widthPx: number; heightPx: number },
): Promise<Frame[]> {
  const video = readJpegAvi(Buffer.from(base64, 'base64'));
  if (video.frames.length !== frameCount) {
    throw new Error(`The server made ${video.frames.length} frames; expected ${frameCount}.`);
  }
  const frames: Frame[] = [];
  for (const jpeg of video.frames) frames.push(await decodeFrame(jpeg, widthPx, heightPx));
  return frames;
}

async function decodeFrame(file: Uint8Array, widthPx: number, heightPx: number): Promise<Frame> {
  const { data, info } = await sharp(file, { limitInputPixels: widthPx * heightPx })
    .removeAlpha()
    .toColourspace('srgb')
    .raw()
    .toBuffer({ resolveWithObject: true });
  if (info.width !== widthPx || info.height !== heightPx || info.channels !== 3) {
    throw new Error(
      `The server made a picture of ${info.width} x ${info.height} pixels with ${info.channels} channels; expected ${widthPx} x ${heightPx} with 3.`,
    );
  }
  return { rgb: data, widthPx, heightPx };
}
