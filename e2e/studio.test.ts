/** The studio in a real browser: sign in, ask, watch the picture come, in two tabs and through a reload. */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { launchChromium } from './chromium.ts';
import { descendantsOf } from './process-tree.ts';
import { startTestStack, type TestStack } from './running-stack.ts';
import { cards, desktop, phone, promptInput, screenshots, signInAsGuest } from './studio-page.ts';

const prompt = 'a red apple on a blue background';

/** Every wait is for a state; how long a busy machine takes to reach it is not what is tested. */
const patience = { timeout: 300_000 };
const testTimeoutMs = 600_000;

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
  context.setDefaultTimeout(patience.timeout);
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

async function signInWithPassword(page: Page, password: string) {
  await page.getByLabel('E-mail').fill('ada@example.com');
  await page.getByRole('textbox', { name: 'Password' }).fill(password);
  await page.getByRole('button', { name: /^(Sign in|Create the account)$/ }).click();
}

interface Asked {
  words?: string;
  steps: number;
  size: number;
  pictures?: number;
}

async function ask(page: Page, { words = prompt, steps, size, pictures = 1 }: Asked) {
  await promptInput(page).fill(words);
  const settings = page.getByRole('button', { name: /^Settings/ });
  if ((await settings.getAttribute('aria-expanded')) === 'false') await settings.click();
  await page.getByLabel('Steps').fill(String(steps));
  await page.getByLabel('Width (px)').fill(String(size));
  await page.getByLabel('Height (px)').fill(String(size));
  await page.getByLabel('Pictures', { exact: true }).fill(String(pictures));
  await page.getByRole('button', { name: 'Generate' }).click();
}

const percentOf = async (page: Page) =>
  Number(await cards(page, { words: prompt }).getByRole('progressbar').getAttribute('aria-valuenow'));

/** Has the page remember each status and percentage that the generation of `prompt` shows. */
async function recordStates(page: Page) {
  await page.evaluate((words) => {
    const seen: string[] = [];
    Object.assign(window, { seenStates: seen });
    new MutationObserver(() => {
      const card = document.querySelector(`li[data-status][aria-label="${words}"]`);
      if (card === null) return;
      const bar = card.querySelector('[role=progressbar]')?.getAttribute('aria-valuenow');
      const state = `${card.getAttribute('data-status')} ${bar ?? ''}`.trim();
      if (seen.at(-1) !== state) seen.push(state);
    }).observe(document.body, { subtree: true, childList: true, attributes: true });
  }, prompt);
}
const seenStates = (page: Page) =>
  page.evaluate(() => (window as unknown as { seenStates: string[] }).seenStates);

/** Stops the process that paints, so that the middle of a generation lasts on the fastest machine. */
function pauseEngine(): () => void {
  const worker = descendantsOf(stack.processes.runpod.pid).find(({ command }) =>
    command.includes('apps/worker/dist/main.js'),
  );
  const engine = worker && descendantsOf(worker.pid)[0];
  if (engine === undefined) throw new Error('There is no engine process below the RunPod process.');
  process.kill(engine.pid, 'SIGSTOP');
  return () => process.kill(engine.pid, 'SIGCONT');
}

test(
  'a picture is queued, forms with rising percent and appears, alike in a second tab and after a reload',
  async () => {
    const page = await openStudio();
    await page.getByRole('button', { name: 'Continue as a guest' }).waitFor();
    await page.screenshot({ path: join(screenshots, 'sign-in.png') });
    await signInAsGuest(page);
    await page.getByText('Nothing painted yet').waitFor();
    await page.screenshot({ path: join(screenshots, 'empty.png') });
    const secondTab = await openStudio();
    await promptInput(secondTab).waitFor();
    const tabs = [page, secondTab];

    // While the only worker paints something else, the picture is queued for as long as we want.
    const other = 'a cat on a pink background';
    await ask(page, { words: other, steps: 150, size: 256, pictures: 4 });
    await cards(page, { words: other, status: 'processing' }).waitFor();
    await recordStates(secondTab);
    await ask(page, { steps: 150, size: 256 });
    for (const tab of tabs) await cards(tab, { words: prompt, status: 'queued' }).waitFor();
    await page.screenshot({ path: join(screenshots, 'queued.png') });
    await cards(page, { words: other }).getByRole('button', { name: 'Cancel' }).click();

    for (const tab of tabs) await cards(tab, { words: prompt, status: 'processing' }).waitFor();
    await expect.poll(() => percentOf(secondTab), patience).toBeGreaterThan(4);
    const goOn = pauseEngine();
    try {
      await page.reload();
      await cards(page, { words: prompt, status: 'processing' }).locator('img').waitFor();
      await expect.poll(async () => (await percentOf(page)) - (await percentOf(secondTab)), patience).toBe(0);
      await page.screenshot({ path: join(screenshots, 'processing.png') });
      await secondTab.screenshot({ path: join(screenshots, 'processing-second-tab.png') });
    } finally {
      goOn();
    }

    for (const tab of tabs) {
      const picture = cards(tab, { words: prompt, status: 'completed' }).getByRole('img', { name: prompt });
      await picture.waitFor();
      await expect
        .poll(() => picture.evaluate((image: HTMLImageElement) => image.naturalWidth), patience)
        .toBe(256);
    }
    const states = (await seenStates(secondTab)).map((state) => state.split(' '));
    const order = states.map(([status]) => status).filter((status, index, all) => status !== all[index - 1]);
    expect(order).toEqual(['queued', 'processing', 'completed']);
    const percents = states
      .filter(([status]) => status === 'processing')
      .map(([, percent]) => Number(percent));
    expect(percents.length).toBeGreaterThan(1);
    expect(percents).toEqual([...new Set(percents)].sort((a, b) => a - b));

    await page.screenshot({ path: join(screenshots, 'completed.png') });
    await page.setViewportSize(phone);
    await page.screenshot({ path: join(screenshots, 'completed-phone.png'), fullPage: true });
    await page.emulateMedia({ colorScheme: 'dark' });
    await page.screenshot({ path: join(screenshots, 'completed-phone-dark.png'), fullPage: true });
    const width = await page.evaluate(() => document.documentElement.scrollWidth);
    expect(width).toBeLessThanOrEqual(phone.width);
  },
  testTimeoutMs,
);

test(
  'a request that is refused is explained beside its field, and nothing is queued',
  async () => {
    const page = await openStudio();
    await signInAsGuest(page);
    await ask(page, { steps: 500, size: 128 });
    await page.getByText('500 is not allowed; expected a whole number from 1 to 150.').waitFor();
    await page.getByText('Nothing painted yet').waitFor();
    expect(await cards(page).count()).toBe(0);
    await page.screenshot({ path: join(screenshots, 'refused.png') });
  },
  testTimeoutMs,
);

test(
  'a running picture can be cancelled',
  async () => {
    const page = await openStudio();
    await signInAsGuest(page);
    await ask(page, { steps: 150, size: 256, pictures: 4 });
    await cards(page, { status: 'processing' }).waitFor();
    await page.getByRole('button', { name: 'Cancel' }).click();
    await cards(page, { status: 'failed' }).getByText('Cancelled').waitFor();
    await page.getByText(`“${prompt}” was cancelled.`).waitFor({ state: 'attached' });
    await page.screenshot({ path: join(screenshots, 'cancelled.png') });
  },
  testTimeoutMs,
);

test(
  'each of several pictures of one request can be opened',
  async () => {
    const page = await openStudio();
    await signInAsGuest(page);
    await ask(page, { steps: 2, size: 64, pictures: 3 });
    const pictures = cards(page, { status: 'completed' }).getByRole('link');
    await expect.poll(() => pictures.count(), patience).toBe(3);
    const addresses = await pictures.evaluateAll((links) =>
      links.map((link) => (link as HTMLAnchorElement).href),
    );
    expect(new Set(addresses).size).toBe(3);
    for (const [index, address] of addresses.entries()) {
      const opened = context.waitForEvent('page');
      await pictures.nth(index).click();
      const picture = await opened;
      await picture.waitForURL(address);
      expect(await picture.evaluate(() => document.contentType)).toBe('image/png');
      await picture.close();
    }
    await page.screenshot({ path: join(screenshots, 'several.png') });
  },
  testTimeoutMs,
);

test(
  'a server that is out of reach is named in a sentence, and what happened meanwhile comes by itself',
  async () => {
    const page = await openStudio();
    await signInAsGuest(page);
    await page.getByText('Nothing painted yet').waitFor();
    await ask(page, { steps: 2, size: 64 });
    await cards(page).waitFor();
    await context.setOffline(true);
    await page.getByText('The server cannot be reached.').waitFor();
    await page.getByRole('button', { name: 'Generate' }).click();
    await page.getByText('The server could not be reached. Please try again.').waitFor();
    await page.screenshot({ path: join(screenshots, 'offline.png') });
    await context.setOffline(false);
    await page.getByText('The server cannot be reached.').waitFor({ state: 'hidden' });
    await cards(page, { status: 'completed' }).waitFor();
    expect(await cards(page).count()).toBe(1);
  },
  testTimeoutMs,
);

test(
  'an account with an e-mail address keeps its pictures through a sign-out, and nobody else sees them',
  async () => {
    const page = await openStudio();
    await page.getByRole('button', { name: 'I have no account yet' }).click();
    await signInWithPassword(page, 'correct horse');
    await promptInput(page).waitFor();
    await ask(page, { steps: 2, size: 64 });
    await cards(page, { status: 'completed' }).waitFor();
    await page.getByRole('button', { name: 'Sign out' }).click();

    await signInAsGuest(page);
    await page.getByText('Nothing painted yet').waitFor();
    expect(await cards(page).count()).toBe(0);
    expect(await promptInput(page).inputValue()).toBe('');
    await page.getByRole('button', { name: 'Sign out' }).click();

    await signInWithPassword(page, 'wrong horse');
    await page.getByRole('alert').getByText('The address or the password is wrong.').waitFor();
    await signInWithPassword(page, 'correct horse');
    await cards(page, { status: 'completed' }).getByRole('img', { name: prompt }).waitFor();
  },
  testTimeoutMs,
);
