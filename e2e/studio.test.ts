/** The studio in a real browser: sign in, ask, watch the picture come, in two tabs and through a reload. */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { cloneFolder } from '@firepod/dev';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { launchChromium } from './chromium.ts';
import { startTestStack, type TestStack } from './running-stack.ts';

const screenshots = join(cloneFolder, 'e2e/screenshots');
const desktop = { width: 1280, height: 900 };
const phone = { width: 390, height: 844 };
const prompt = 'a red apple on a blue background';

let stack: TestStack;
let browser: Browser;
let context: BrowserContext;
let problems: string[];

beforeAll(async () => {
  await mkdir(screenshots, { recursive: true });
  [stack, browser] = await Promise.all([startTestStack(), launchChromium()]);
});
beforeEach(async () => {
  context = await browser.newContext({ viewport: desktop });
  problems = [];
  context.on('weberror', (thrown) => problems.push(thrown.error().message));
});
afterEach(async () => {
  await context.close();
  expect(problems).toEqual([]);
});
afterAll(async () => {
  await browser?.close();
  await stack?.close();
});

async function openStudio(): Promise<Page> {
  const page = await context.newPage();
  await page.goto(stack.studioUrl);
  return page;
}

async function signInAsGuest(page: Page) {
  await page.getByRole('button', { name: 'Continue as a guest' }).click();
  await page.getByLabel('What shall it be?').waitFor();
}

async function ask(page: Page, steps: number, size: number) {
  await page.getByLabel('What shall it be?').fill(prompt);
  await page.getByRole('button', { name: 'Settings' }).click();
  await page.getByLabel('Steps').fill(String(steps));
  await page.getByLabel('Width (px)').fill(String(size));
  await page.getByLabel('Height (px)').fill(String(size));
  await page.getByRole('button', { name: 'Generate' }).click();
}

/** Has the page remember each status and percentage that its first generation shows. */
async function recordStates(page: Page) {
  await page.evaluate(() => {
    const seen: string[] = [];
    Object.assign(window, { seenStates: seen });
    new MutationObserver(() => {
      const card = document.querySelector('[data-status]');
      const bar = card?.querySelector('[role=progressbar]')?.getAttribute('aria-valuenow');
      const state = `${card?.getAttribute('data-status')} ${bar ?? ''}`.trim();
      if (card !== null && seen.at(-1) !== state) seen.push(state);
    }).observe(document.body, { subtree: true, childList: true, attributes: true });
  });
}
const seenStates = (page: Page) =>
  page.evaluate(() => (window as unknown as { seenStates: string[] }).seenStates);

test('a picture is queued, forms with rising percent and appears, alike in a second tab and after a reload', async () => {
  const page = await openStudio();
  await page.screenshot({ path: join(screenshots, 'sign-in.png') });
  await signInAsGuest(page);
  const secondTab = await openStudio();
  await secondTab.getByLabel('What shall it be?').waitFor();

  await recordStates(secondTab);
  await recordStates(page);
  await ask(page, 150, 256);
  const card = page.locator('[data-status]').first();
  await page.locator('[data-status=processing]').waitFor();
  await page.screenshot({ path: join(screenshots, 'processing.png') });
  const before = await seenStates(page);
  expect(before[0]).toBe('queued');

  await page.reload();
  await page.locator('[data-status=processing]').waitFor();
  await recordStates(page);
  await page.locator('[data-status=completed] img').waitFor({ timeout: 60_000 });
  await secondTab.locator('[data-status=completed] img').waitFor();

  const inSecondTab = await seenStates(secondTab);
  expect(inSecondTab[0]).toBe('queued');
  expect(inSecondTab.at(-1)).toBe('completed');
  const percents = inSecondTab
    .filter((state) => /processing \d/.test(state))
    .map((state) => Number(state.split(' ')[1]));
  expect(percents.length).toBeGreaterThan(2);
  expect(percents).toEqual([...percents].sort((a, b) => a - b));

  for (const tab of [page, secondTab]) {
    const picture = tab.locator('[data-status=completed] img').first();
    await expect.poll(() => picture.evaluate((image: HTMLImageElement) => image.naturalWidth)).toBe(256);
  }
  expect(await card.getAttribute('aria-label')).toBe(prompt);
  await page.screenshot({ path: join(screenshots, 'completed.png'), fullPage: true });
  await page.setViewportSize(phone);
  await page.screenshot({ path: join(screenshots, 'completed-phone.png'), fullPage: true });
  const width = await page.evaluate(() => document.documentElement.scrollWidth);
  expect(width).toBeLessThanOrEqual(phone.width);
});

test('a request that is refused is explained beside its field, and nothing is queued', async () => {
  const page = await openStudio();
  await signInAsGuest(page);
  await ask(page, 500, 128);
  await page.getByText('500 is not allowed; expected a whole number from 1 to 150.').waitFor();
  expect(await page.locator('[data-status]').count()).toBe(0);
  await page.screenshot({ path: join(screenshots, 'refused.png') });
});

test('a running picture can be cancelled', async () => {
  const page = await openStudio();
  await signInAsGuest(page);
  await ask(page, 150, 256);
  await page.locator('[data-status=processing]').waitFor();
  await page.getByRole('button', { name: 'Cancel' }).click();
  await page.locator('[data-status=failed]').waitFor();
  expect(await page.locator('[data-status=failed]').textContent()).toMatch(/cancel/i);
  await page.screenshot({ path: join(screenshots, 'cancelled.png') });
});

test('an account with an e-mail address keeps its pictures through a sign-out', async () => {
  const page = await openStudio();
  await page.getByRole('button', { name: 'I have no account yet' }).click();
  await page.getByLabel('E-mail').fill('ada@example.com');
  await page.getByLabel('Password').first().fill('correct horse');
  await page.getByRole('button', { name: 'Create the account' }).click();
  await page.getByLabel('What shall it be?').waitFor();
  await ask(page, 4, 128);
  await page.locator('[data-status=completed] img').waitFor({ timeout: 60_000 });
  await page.getByRole('button', { name: 'Sign out' }).click();

  await page.getByLabel('E-mail').fill('ada@example.com');
  await page.getByLabel('Password').first().fill('wrong horse');
  await page.getByRole('button', { name: 'Sign in' }).click();
  expect(await page.getByRole('alert').textContent()).toMatch(/wrong/);
  await page.getByLabel('Password').first().fill('correct horse');
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.locator('[data-status=completed] img').waitFor();
});
