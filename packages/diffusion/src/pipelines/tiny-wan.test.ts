import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { RgbImage } from '../vae.ts';
import { previewVideoRgb } from '../video-frames.ts';
import type { VideoProgress, VideoResult } from './text-to-video.ts';
import { loadWan, type Wan } from './wan.ts';

const FOLDER = join(import.meta.dirname, '..', '..', '..', '..', 'models', 'tiny-wan');
const card = JSON.parse(readFileSync(join(FOLDER, 'model_card.json'), 'utf8'));

/** The mean colour of the outer 3-pixel frame, where subjects seldom are. */
function backgroundOf({ width, height, data }: RgbImage): number[] {
  const sum = [0, 0, 0];
  let count = 0;
  for (let cell = 0; cell < width * height; cell++) {
    const [row, column] = [Math.floor(cell / width), cell % width];
    if (Math.min(row, column, height - 1 - row, width - 1 - column) >= 3) continue;
    count++;
    for (let color = 0; color < 3; color++) sum[color]! += data[cell * 3 + color]!;
  }
  return sum.map((value) => value / count);
}

/** The mean column of what is clearly not background, in pixels. */
function subjectColumn(image: RgbImage): number {
  const background = backgroundOf(image);
  let [sum, count] = [0, 0];
  for (let cell = 0; cell < image.width * image.height; cell++) {
    const distance = background.reduce(
      (total, value, color) => total + Math.abs(value - image.data[cell * 3 + color]!),
      0,
    );
    if (distance < 120) continue;
    sum += cell % image.width;
    count++;
  }
  return sum / count;
}

// A few steps of a real network: seconds on a quiet machine, a minute on a crowded one.
describe('models/tiny-wan, the video model that Firepod ships', { timeout: 180_000 }, () => {
  let pipeline: Wan;
  beforeAll(async () => {
    pipeline = await loadWan({ folder: FOLDER, threads: 1 });
  });
  afterAll(() => pipeline.dispose());

  const film = (prompt: string, onProgress?: (progress: VideoProgress) => void): Promise<VideoResult> =>
    pipeline.textToVideo({
      prompt,
      negativePrompt: card.defaults.negative_prompt,
      width: card.defaults.video_width,
      height: card.defaults.video_height,
      numFrames: card.defaults.num_frames,
      numInferenceSteps: 6,
      guidanceScale: card.defaults.video_guidance_scale,
      seed: 7,
      ...(onProgress ? { onProgress } : {}),
    });

  it('moves the subject where the prompt says, before the background that it names', async () => {
    let preview: RgbImage | undefined;
    const right = await film('a red apple moving right on a blue background', ({ latents, latentsShape }) => {
      if (latents && latentsShape && card.preview)
        preview = previewVideoRgb(latents, latentsShape, card.preview);
    });
    expect(right.frames).toHaveLength(card.defaults.num_frames);
    for (const frame of right.frames) {
      const [red, green, blue] = backgroundOf(frame) as [number, number, number];
      expect(blue).toBeGreaterThan(Math.max(red, green) + 20);
    }
    if (preview) {
      const [red, , blue] = backgroundOf(preview) as [number, number, number];
      expect(blue).toBeGreaterThan(red);
    }
    const left = await film('a red apple moving left on a yellow background');
    const [red, , blue] = backgroundOf(left.frames[8]!) as [number, number, number];
    expect(red).toBeGreaterThan(blue + 40);
    const columnsMoved = ({ frames }: VideoResult) =>
      subjectColumn(frames[frames.length - 1]!) - subjectColumn(frames[0]!);
    expect(columnsMoved(right)).toBeGreaterThan(10);
    expect(columnsMoved(left)).toBeLessThan(-10);
  });
});
