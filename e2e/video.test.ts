/** A video from the prompt to a browser that plays it, by a worker that has one model for pictures and one for videos. */
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { launchChromium } from './chromium.ts';
import { startTestStack, type TestStack } from './running-stack.ts';
import { signInTestUser, type TestUser } from './signed-in-user.ts';

const request = {
  task_type: 'text2video',
  prompt: 'a red apple moving right',
  num_inference_steps: 12,
  seed: 7,
} as const;

let stack: TestStack;
let user: TestUser;
let browser: Browser;

beforeAll(async () => {
  [stack, browser] = await Promise.all([startTestStack(), launchChromium()]);
  user = await signInTestUser(stack);
});
afterAll(async () => {
  await browser?.close();
  await user?.close();
  await stack?.close();
});

/**
 * Plays the video to its end as a page of the app, and finds where its red is: the mean column of the red pixels, as a
 * fraction of the width, in the first frame and in the last.
 */
async function play(page: Page, url: string) {
  return page.evaluate(async (source) => {
    const video = document.createElement('video');
    Object.assign(video, { crossOrigin: 'anonymous', muted: true, src: source });
    const happens = (event: string) =>
      new Promise((resolve, reject) => {
        video.addEventListener(event, resolve, { once: true });
        video.addEventListener('error', () => reject(new Error(video.error?.message)), { once: true });
      });
    await happens('loadeddata');
    const { duration, videoWidth: width, videoHeight: height } = video;
    const canvas = Object.assign(document.createElement('canvas'), { width, height });
    const context = canvas.getContext('2d', { willReadFrequently: true })!;
    const redAt = () => {
      context.drawImage(video, 0, 0);
      const { data } = context.getImageData(0, 0, width, height);
      let [sum, count] = [0, 0];
      for (let pixel = 0; pixel < width * height; pixel += 1) {
        const [red = 0, green = 0, blue = 0] = data.subarray(pixel * 4, pixel * 4 + 3);
        if (red < 180 || green > 110 || blue > 110) continue;
        sum += pixel % width;
        count += 1;
      }
      return sum / count / width;
    };
    // A frame that was only loaded may not be drawn yet.
    const seeked = happens('seeked');
    video.currentTime = 0.05;
    await seeked;
    const first = redAt();
    const ended = happens('ended');
    await video.play();
    await ended;
    return { duration, width, height, first, last: redAt() };
  }, url);
}

test('a video is stored with its poster, shows in a browser what the prompt says, and comes again from its seed', async () => {
  const generation = await user.client.submit(request);
  expect(generation.media_type).toBe('video');
  const { generation_data: data } = await user.client.waitForCompletion(generation);
  expect(data).toMatchObject({
    width: 96,
    height: 96,
    fps: 8,
    num_frames: 17,
    duration_seconds: 2.125,
    seed: 7,
  });
  const folder = `generating/${user.userId}`;
  const names = [
    `${folder}/thumbnail/${generation.file_uid}.webp`,
    `${folder}/video/${generation.file_uid}.mp4`,
  ];
  expect((await user.storedNames()).sort()).toEqual(names);

  const page = await browser.newPage();
  await page.goto(stack.studioUrl);
  const { first, last, ...played } = await play(page, data.video_url ?? '');
  expect(played).toEqual({ duration: 2.125, width: 96, height: 96 });
  expect(last).toBeGreaterThan(first + 0.1);
  await page.close();

  const again = await user.client.waitForCompletion(await user.client.submit(request));
  const bytesOf = async (url = '') => Buffer.from(await (await fetch(url)).arrayBuffer());
  const [one, other] = await Promise.all([data.video_url, again.generation_data.video_url].map(bytesOf));
  expect(one!.equals(other!)).toBe(true);
});

test('pictures and videos are made by the model that can, and refused by its own limits', async () => {
  const picture = await user.client.submit({ prompt: 'a red apple', num_inference_steps: 1 });
  const { generation_data: data } = await user.client.waitForCompletion(picture);
  expect(data['recipe']).toMatchObject({ model: { id: 'tiny-sdxl' } });
  for (const [fields, message] of [
    [{ num_frames: 18 }, /num_frames: 18 .*expected a multiple of 4 plus 1/],
    [{ num_frames: 37 }, /num_frames: 37 .* to 33/],
    [{ video_width: 72 }, /video_width: 72 .*multiple of 16/],
  ] as const)
    await expect(user.client.submit({ ...request, ...fields })).rejects.toMatchObject({
      code: 'invalid_argument',
      message: expect.stringMatching(message),
    });
});
