/** Two tabs of one browser: offline and online again, with the server killed and started anew between. */
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { launchChromium } from '../../../../e2e/chromium.ts';
import {
  listenOnPage,
  type PageDatabase,
  type PageSdk,
  serveFirestorePages,
} from '../../test/firestore-page.ts';
import { startFirestoreProcess } from '../../test/firestore-process.ts';
import type { FirestoreOptions } from './server.ts';
import { rulesWith } from './temporary-server.ts';

declare const sdk: PageSdk;
declare const database: PageDatabase;
declare const events: string[];

const projectId = 'demo-offline';

test('two tabs that were offline while the server was killed agree again, with what was written meanwhile', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'offline-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const options: FirestoreOptions = {
    projectId,
    databaseFile: join(folder, 'firestore.db'),
    rules: rulesWith('match /users/{userId}/{rest=**} { allow read, write: if request.auth.uid == userId; }'),
  };
  let { child, port } = await startFirestoreProcess(options);
  onTestFinished(() => void child.kill('SIGKILL'));
  const pages = await serveFirestorePages();
  const browser = await launchChromium();
  onTestFinished(async () => {
    await browser.close();
    pages.close();
  });
  const context = await browser.newContext();
  const tabs = [await context.newPage(), await context.newPage()] as const;
  for (const tab of tabs) {
    const server = { host: '127.0.0.1', port, projectId };
    await pages.open(tab, { server, longPolling: false, isShared: true });
  }
  const [first, second] = tabs;
  const write = (tab: typeof first, status: string) =>
    tab.evaluate(
      ([path, value]) =>
        sdk.setDoc(sdk.doc(database, path), { [value]: true, status: value }, { merge: true }),
      ['users/u1/shared/a', status] as const,
    );
  const statuses = () => Promise.all(tabs.map((tab) => tab.evaluate(() => events.at(-1))));
  const soon = { timeout: 40_000, interval: 50 };

  await write(first, 'queued');
  for (const tab of tabs) await listenOnPage(tab, 'users/u1/shared/a');
  await expect.poll(statuses, soon).toEqual(['queued', 'queued']);

  await context.setOffline(true);
  // Neither of these promises resolves before the server has the write.
  const written = [write(first, 'from the first'), write(second, 'from the second')];
  const killed = once(child, 'exit');
  child.kill('SIGKILL');
  await killed;
  ({ child } = await startFirestoreProcess({ ...options, port }));
  expect(await statuses()).toEqual(['queued', 'queued']);

  await context.setOffline(false);
  await Promise.all(written);
  const read = (tab: typeof first) =>
    tab.evaluate(async () => {
      const snapshot = await sdk.getDocFromServer(sdk.doc(database, 'users/u1/shared/a'));
      return snapshot.data();
    });
  const [seenByFirst, seenBySecond] = [await read(first), await read(second)];
  expect(seenByFirst).toMatchObject({ queued: true, 'from the first': true, 'from the second': true });
  expect(seenBySecond).toEqual(seenByFirst);
  await expect.poll(statuses, soon).toEqual([seenByFirst?.['status'], seenByFirst?.['status']]);
}, 90_000);
