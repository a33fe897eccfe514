/** A video from the prompt to a browser that plays it, by a worker that has one model for pictures and one for videos. */
import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { cloneFolder } from '@firepod/dev';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { launchChromium } from './chromium.ts';
import { startTestStack, type TestStack } from './running-stack.ts';
import { signInTestUser, type TestUser } from './signed-in-user.ts';

/** Wan's architecture with random weights, and the card that a function needs of it. */
const card = {
  id: 'micro-wan',
  name: 'Micro Wan',
  version: '1',
  tasks: ['text2video'],
  native_size: { width: 96, height: 64 },
  size_multiple: 16,
  frame_step: 4,
  defaults: { num_inference_steps: 2, num_frames: 9, fps: 6 },
  limits: { max_size: 96, max_frames: 17 },
  licence: 'MIT',
};
const request = { task_type: 'text2video', prompt: 'a red apple moving right', seed: 7 } as const;

let stack: TestStack;
let user: TestUser;
let browser: Browser;
let videoModel: string;

beforeAll(async () => {
  videoModel = mkdtempSync(join(tmpdir(), 'firepod-micro-wan-'));
  cpSync(join(cloneFolder, 'packages/diffusion/fixtures/micro-wan'), videoModel, { recursive: true });
  writeFileSync(join(videoModel, 'model_card.json'), JSON.stringify(card));
  const modelFolders = [join(cloneFolder, 'models/tiny-sdxl'), videoModel];
  [stack, browser] = await Promise.all([startTestStack({ modelFolders }), launchChromium()]);
  user = await signInTestUser(stack);
});
afterAll(async () => {
  await browser?.close();
  await user?.close();
  await stack?.close();
  rmSync(videoModel, { recursive: true, force: true });
});

test('a video is stored with its poster, plays in a browser, and has the same bytes from the same seed', async () => {
  const generation = await user.client.submit(request);
  expect(generation.media_type).toBe('video');
  const { generation_data: data } = await user.client.waitForCompletion(generation);
  expect(data).toMatchObject({
    width: 96,
    height: 64,
    fps: 6,
    num_frames: 9,
    duration_seconds: 1.5,
    seed: 7,
  });
  const folder = `generating/${user.userId}`;
  const names = [
    `${folder}/thumbnail/${generation.file_uid}.webp`,
    `${folder}/video/${generation.file_uid}.mp4`,
  ];
  expect((await user.storedNames()).sort()).toEqual(names);

  const page = await browser.newPage();
  await page.setContent(`<video src="${data.video_url}" poster="${data.poster_url}" muted></video>`);
  const played = await page.evaluate(async () => {
    const video = document.querySelector('video')!;
    await video.play();
    await new Promise((resolve) => video.addEventListener('ended', resolve, { once: true }));
    const { duration, videoWidth, videoHeight, error } = video;
    return { duration, videoWidth, videoHeight, error: error?.message };
  });
  expect(played).toEqual({ duration: 1.5, videoWidth: 96, videoHeight: 64, error: undefined });
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
    [{ num_frames: 21 }, /num_frames: 21 .* to 17/],
    [{ video_width: 72 }, /video_width: 72 .*multiple of 16/],
  ] as const)
    await expect(user.client.submit({ ...request, ...fields })).rejects.toMatchObject({
      code: 'invalid_argument',
      message: expect.stringMatching(message),
    });
});
