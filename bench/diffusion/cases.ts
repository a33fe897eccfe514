/** What is painted: words to a picture of 256 pixels, to one of the model's own size, and to a video. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { PaintCase } from './pipeline-program.ts';

/** Two: what the goals are set for. */
const threads = 2;
const modelsFolder = join(import.meta.dirname, '../../models');

/** What a model card says of a painting whose request names nothing but words. */
interface CardDefaults {
  readonly num_inference_steps: number;
  readonly width: number;
  readonly height: number;
  readonly guidance_scale: number;
  readonly num_frames: number;
  readonly video_width: number;
  readonly video_height: number;
  readonly video_guidance_scale: number;
}

/** A case before its weights are turned into torch's. */
export interface NamedCase {
  readonly name: string;
  readonly paintCase: Omit<PaintCase, 'torchFolder'>;
}

/** @throws {Error} when a model's folder has no card */
export function namedCases(): NamedCase[] {
  const imageFolder = process.env['BENCH_IMAGE_MODEL'] ?? join(modelsFolder, 'tiny-sdxl');
  const videoFolder = process.env['BENCH_VIDEO_MODEL'] ?? join(modelsFolder, 'tiny-wan');
  const image = readDefaults(imageFolder);
  const video = readDefaults(videoFolder);
  // For a trial on a busy machine; the goals are set for the card's own.
  const steps = process.env['BENCH_STEPS'] === undefined ? undefined : Number(process.env['BENCH_STEPS']);
  const picture = (width: number, height: number): NamedCase => ({
    name: `text2img, ${width} x ${height} px`,
    paintCase: {
      task: 'text2img',
      folder: imageFolder,
      prompt: 'a red apple on a blue background',
      negativePrompt: null,
      width,
      height,
      frames: null,
      steps: steps ?? image.num_inference_steps,
      guidanceScale: image.guidance_scale,
      seed: 7,
      threads,
    },
  });
  const { video_width: width, video_height: height, num_frames: frames } = video;
  const clip: NamedCase = {
    name: `text2video, ${frames} frames of ${width} x ${height} px`,
    paintCase: {
      task: 'text2video',
      folder: videoFolder,
      prompt: 'a red apple moving right on a blue background',
      negativePrompt: '',
      width,
      height,
      frames,
      steps: steps ?? video.num_inference_steps,
      guidanceScale: video.video_guidance_scale,
      seed: 7,
      threads,
    },
  };
  return [picture(256, 256), picture(image.width, image.height), clip];
}

function readDefaults(folder: string): CardDefaults {
  const card = JSON.parse(readFileSync(join(folder, 'model_card.json'), 'utf8')) as {
    defaults: CardDefaults;
  };
  return card.defaults;
}
