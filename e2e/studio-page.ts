/** What tests of the studio do on its page: sign in, find the form and the generations. */
import { join } from 'node:path';
import { cloneFolder } from '@firepod/dev';
import type { Page } from 'playwright-core';

export const screenshots = join(cloneFolder, 'e2e/screenshots');
export const desktop = { width: 1280, height: 900 };
export const phone = { width: 390, height: 844 };

export const promptInput = (page: Page) => page.getByLabel(/^Describe a (picture|video)$/);

export async function signInAsGuest(page: Page) {
  await page.getByRole('button', { name: 'Continue as a guest' }).click();
  await promptInput(page).waitFor();
}

/** The generations of a page, or those of one prompt, in one state or in any. */
export function cards(page: Page, { words, status }: { words?: string; status?: string } = {}) {
  const inState = status === undefined ? '[data-status]' : `[data-status=${status}]`;
  return page.locator(`li${inState}${words === undefined ? '' : `[aria-label="${words}"]`}`);
}
