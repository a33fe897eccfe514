/** Videos and parts of pictures in the studio, in a real browser: from the form to what is shown and saved. */
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Browser, BrowserContext, Locator, Page } from 'playwright-core';
import sharp from 'sharp';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { launchChromium } from './chromium.ts';
import { startTestStack, type TestStack } from './running-stack.ts';
import { cards, desktop, phone, promptInput, screenshots, signInAsGuest } from './studio-page.ts';

/** Every wait is for a state; how long a busy machine takes to reach it is not what is tested. */
const patience = { timeout: 300_000 };
const testTimeoutMs = 600_000;

let stack: TestStack;
let browser: Browser;
let context: BrowserContext;
let page: Page;
let problems: string[];

beforeAll(async () => {
  await mkdir(screenshots, { recursive: true });
  [stack, browser] = await Promise.all([startTestStack(), launchChromium()]);
});
beforeEach(async () => {
  context = await browser.newContext({ viewport: desktop, hasTouch: true });
  context.setDefaultTimeout(patience.timeout);
  problems = [];
  context.on('weberror', (thrown) => problems.push(thrown.error().message));
  page = await context.newPage();
  await page.goto(stack.studioUrl);
  await signInAsGuest(page);
});
afterEach(async () => {
  await context.close();
  expect(problems).toEqual([]);
});
afterAll(async () => {
  await browser?.close();
  await stack?.close();
});

async function ask(words: string, settings: Record<string, number>) {
  await promptInput(page).fill(words);
  const button = page.getByRole('button', { name: /^Settings/ });
  if ((await button.getAttribute('aria-expanded')) === 'false') await button.click();
  for (const [label, value] of Object.entries(settings))
    await page.getByLabel(label, { exact: true }).fill(String(value));
  await page.getByRole('button', { name: 'Generate' }).click();
}

/** Has the page remember what it says of its only generation, each status and each sentence once. */
async function recordWords() {
  await page.evaluate(() => {
    const seen = new Set<string>();
    Object.assign(window, { seenWords: seen });
    new MutationObserver(() => {
      const card = document.querySelector<HTMLElement>('li[data-status]');
      const words = card?.querySelector('.progress-words')?.textContent;
      if (card?.dataset['status']) seen.add(card.dataset['status']);
      if (words) seen.add(words);
    }).observe(document.body, { subtree: true, childList: true, attributes: true, characterData: true });
  });
}
const seenWords = () => page.evaluate(() => [...(window as unknown as { seenWords: Set<string> }).seenWords]);

test(
  'a video is asked for, shows each of its states, plays by itself where motion is welcome, and is saved',
  async () => {
    const words = 'a red apple moving right';
    await page.getByText('Video', { exact: true }).click();
    await recordWords();
    // A RunPod that stands still takes no job, so that the video is queued for as long as we want; and it takes so many
    // steps that a quick machine tells of them too.
    process.kill(stack.processes.runpod.pid, 'SIGSTOP');
    try {
      await ask(words, { Frames: 17, 'Frames a second': 8, Steps: 80, Seed: 7 });
      await cards(page, { words, status: 'queued' }).waitFor();
    } finally {
      process.kill(stack.processes.runpod.pid, 'SIGCONT');
    }
    const card = cards(page, { words, status: 'completed' });
    await card.waitFor();
    const seen = await seenWords();
    expect(seen.filter((word) => /^[a-z]+$/.test(word))).toEqual(['queued', 'processing', 'completed']);
    expect(seen).toContainEqual(expect.stringMatching(/^Painting \d+ %/));

    const video = card.locator('video');
    await video.scrollIntoViewIfNeeded();
    const now = () =>
      video.evaluate((element: HTMLVideoElement) => {
        const { paused, currentTime, loop, muted, controls, duration, videoWidth, poster } = element;
        return { paused, currentTime, loop, muted, controls, duration, videoWidth, poster };
      });
    await expect.poll(async () => (await now()).currentTime, patience).toBeGreaterThan(0.3);
    const { poster, ...shown } = await now();
    expect(shown).toMatchObject({
      paused: false,
      loop: true,
      muted: true,
      controls: true,
      duration: 2.125,
      videoWidth: 96,
    });
    expect((await fetch(poster)).headers.get('content-type')).toBe('image/webp');
    expect(await card.locator('.facts').innerText()).toMatch(/2\.1 s\s+96×96\s+seed 7/);
    await page.screenshot({ path: join(screenshots, 'video.png') });

    await page.emulateMedia({ reducedMotion: 'reduce' });
    await expect.poll(async () => (await now()).paused, patience).toBe(true);
    await page.emulateMedia({ reducedMotion: 'no-preference' });
    await expect.poll(async () => (await now()).paused, patience).toBe(false);

    const download = page.waitForEvent('download');
    await card.getByRole('button', { name: 'Save' }).click();
    const saved = await download;
    expect(saved.suggestedFilename()).toBe('a-red-apple-moving-right-7.mp4');
    expect((await readFile(await saved.path())).toString('latin1', 4, 8)).toBe('ftyp');
  },
  testTimeoutMs,
);

/** Not a multiple of what the model paints: the mask has to be of the source's size, and not of the picture's. */
const sourceSide = 140;
const side = 128;

/** A yellow disc on green. */
function paintSource(): Promise<Buffer> {
  const disc = `<svg width="${sourceSide}" height="${sourceSide}"><rect width="100%" height="100%" fill="#2e9e4f"/><circle cx="70" cy="70" r="38" fill="#f2c230"/></svg>`;
  return sharp(Buffer.from(disc)).removeAlpha().png().toBuffer();
}

const pixelsOf = (picture: Buffer) =>
  sharp(picture).removeAlpha().resize(side, side, { fit: 'fill' }).raw().toBuffer();

async function shownPixels(card: Locator): Promise<Buffer> {
  await card.waitFor();
  const url = (await card.getByRole('link').getAttribute('href')) ?? '';
  return pixelsOf(Buffer.from(await (await fetch(url)).arrayBuffer()));
}

/** Mean absolute difference of the samples in the columns for which `isCounted` says yes. */
function difference(one: Buffer, other: Buffer, isCounted = (_column: number) => true): number {
  let [sum, count] = [0, 0];
  for (let index = 0; index < one.length; index += 1) {
    if (!isCounted(Math.floor(index / 3) % side)) continue;
    sum += Math.abs(one[index]! - other[index]!);
    count += 1;
  }
  return sum / count;
}

/** Moves a finger over the picture from its top to its bottom. */
async function dragFinger(x: number, [top, bottom]: readonly [number, number]) {
  const devtools = await context.newCDPSession(page);
  const touch = (type: 'touchStart' | 'touchMove' | 'touchEnd', y?: number) =>
    devtools.send('Input.dispatchTouchEvent', { type, touchPoints: y === undefined ? [] : [{ x, y }] });
  await touch('touchStart', top);
  for (let step = 1; step <= 4; step += 1) await touch('touchMove', top + ((bottom - top) * step) / 4);
  await touch('touchEnd');
}

async function dragMouse(x: number, [top, bottom]: readonly [number, number]) {
  await page.mouse.move(x, top);
  await page.mouse.down();
  await page.mouse.move(x, bottom, { steps: 4 });
  await page.mouse.up();
}

test(
  'a part of a picture is marked by keyboard, finger and mouse, painted again, and the rest stays; the result is started from',
  async () => {
    await page.setViewportSize(phone);
    const source = await paintSource();
    await page
      .locator('input[type=file]')
      .setInputFiles({ name: 'disc.png', mimeType: 'image/png', buffer: source });
    await page.getByText('Only a part of it').click();
    const marked = page.locator('.mask-share');
    await page.getByRole('button', { name: 'Everything' }).press('Enter');
    await expect.poll(() => marked.innerText(), patience).toBe('100 % will be painted again');

    await page.getByText('Erase', { exact: true }).click();
    await page.getByLabel('Brush size').fill('50');
    const picture = page.getByRole('img', { name: /^The picture to mark on/ });
    await picture.scrollIntoViewIfNeeded();
    const box = (await picture.boundingBox())!;
    const [x, ends] = [box.x + box.width * 0.75, [box.y + 2, box.y + box.height - 2] as const];
    // The right half is as wide as the brush.
    const half = /^(49|50|51) % will be painted again$/;
    await dragFinger(x, ends);
    await expect.poll(() => marked.innerText(), patience).toMatch(half);
    await page.getByRole('button', { name: 'Undo' }).click();
    await expect.poll(() => marked.innerText(), patience).toBe('100 % will be painted again');
    await dragMouse(x, ends);
    await expect.poll(() => marked.innerText(), patience).toMatch(half);
    await page.screenshot({ path: join(screenshots, 'mask-phone.png'), fullPage: true });
    const width = await page.evaluate(() => document.documentElement.scrollWidth);
    expect(width).toBeLessThanOrEqual(phone.width);

    const words = 'a red apple on a blue background';
    await ask(words, { Steps: 10, Seed: 3 });
    const result = cards(page, { words, status: 'completed' });
    const painted = await shownPixels(result);
    const original = await pixelsOf(source);
    // Away from the edge, which the latents' cells of 8 pixels blur.
    const kept = difference(painted, original, (column) => column >= 80);
    expect(kept).toBeLessThan(20);
    expect(difference(painted, original, (column) => column < 48)).toBeGreaterThan(kept * 2);

    await result.getByRole('button', { name: 'Start from this' }).click();
    await page.getByRole('group', { name: 'The picture to start from' }).getByText(words).waitFor();
    await page.getByLabel('Change').fill('0.2');
    const nextWords = 'a red apple';
    await ask(nextWords, { Steps: 10 });
    const next = await shownPixels(cards(page, { words: nextWords, status: 'completed' }));
    expect(difference(next, painted)).toBeLessThan(25);
  },
  testTimeoutMs,
);
