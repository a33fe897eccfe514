/** The unmodified web SDK in a real browser: WebChannel, streaming and long polling, over a restart of the server. */
import { initializeApp } from 'firebase-admin/app';
import { type Firestore, getFirestore } from 'firebase-admin/firestore';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { launchChromium } from '../../../../e2e/chromium.ts';
import {
  type FirestorePages,
  listenOnPage as listen,
  type PageDatabase,
  type PageSdk,
  serveFirestorePages,
} from '../../test/firestore-page.ts';
import { rulesWith, startTemporaryServer, type TemporaryServer } from './temporary-server.ts';

/** On each page's window. */
declare const sdk: PageSdk;
declare const database: PageDatabase;
declare const events: string[];

const SOON = { timeout: 15_000, interval: 20 };

let server: TemporaryServer;
let admin: Firestore;
let pages: FirestorePages;
let browser: Browser;

beforeAll(async () => {
  server = await startTemporaryServer({
    rules: rulesWith('match /users/{userId}/{rest=**} { allow read, write: if request.auth.uid == userId; }'),
  });
  process.env['FIRESTORE_EMULATOR_HOST'] = `${server.host}:${server.port}`;
  admin = getFirestore(initializeApp({ projectId: server.projectId }, 'browser-test'));
  pages = await serveFirestorePages();
  browser = await launchChromium();
}, 60_000);

afterAll(async () => {
  await browser?.close();
  pages.close();
  await admin.terminate();
  await server.close();
});

describe.each([{ longPolling: false }, { longPolling: true }])(
  'in Chromium, long polling $longPolling',
  ({ longPolling }) => {
    let page: Page;
    const folder = longPolling ? 'users/u1/polled' : 'users/u1/streamed';

    beforeEach(async () => {
      page = await openPage(longPolling);
    });
    afterEach(async () => {
      await page.close();
    });

    test('a listener shows writes of others and of its own, in order', async () => {
      await listen(page, `${folder}/a`);
      await expect.poll(() => page.evaluate(() => events), SOON).toEqual(['missing']);
      await admin.doc(`${folder}/a`).set({ status: 'queued' });
      await admin.doc(`${folder}/a`).update({ status: 'processing', percent: 1.5 });
      // A snapshot that meets a write still under way shows as pending: the two must not overlap here.
      await expect.poll(() => page.evaluate(() => events), SOON).toContain('processing');
      await page.evaluate(
        (path) => sdk.updateDoc(sdk.doc(database, path), { status: 'completed', at: sdk.serverTimestamp() }),
        `${folder}/a`,
      );
      await expect
        .poll(() => page.evaluate(() => events), SOON)
        .toEqual(['missing', 'queued', 'processing', 'completed']);
      expect((await admin.doc(`${folder}/a`).get()).data()).toMatchObject({
        status: 'completed',
        percent: 1.5,
      });
    });

    test('a refused write is reported, and the writes after it go through', async () => {
      const outcomes = await page.evaluate(async (path) => {
        const write = (target: string) =>
          sdk.setDoc(sdk.doc(database, target), { n: 1 }).then(
            () => 'written',
            (error) => error.code,
          );
        return Promise.all([write('users/u2/secret/a'), write(`${path}/after`)]);
      }, folder);
      expect(outcomes).toEqual(['permission-denied', 'written']);
      expect((await admin.doc('users/u2/secret/a').get()).exists).toBe(false);
    });

    test('a refused listener ends alone while others on the stream go on', async () => {
      const code = await page.evaluate(
        (path) =>
          new Promise<string>((resolve) => {
            sdk.onSnapshot(sdk.doc(database, `${path}/b`), (snapshot) => {
              events.push(String(snapshot.get('n') ?? 'missing'));
            });
            sdk.onSnapshot(
              sdk.collection(database, 'users/u2/secret'),
              () => resolve('shown'),
              (error) => resolve(error.code),
            );
          }),
        folder,
      );
      expect(code).toBe('permission-denied');
      await admin.doc(`${folder}/b`).set({ n: 7 });
      await expect.poll(() => page.evaluate(() => events), SOON).toContain('7');
    });

    test('queries, batches, transactions and counts work', async () => {
      const result = await page.evaluate(async (path) => {
        const list = sdk.collection(database, `${path}/list/items`);
        const batch = sdk.writeBatch(database);
        for (let n = 0; n < 5; n++) batch.set(sdk.doc(list, `d${n}`), { n, name: `ü${n}😀` });
        await batch.commit();
        await sdk.runTransaction(database, async (transaction) => {
          const document = await transaction.get(sdk.doc(list, 'd4'));
          transaction.update(document.ref, { n: document.get('n') * 10 });
        });
        const top = await sdk.getDocs(
          sdk.query(list, sdk.where('n', '>', 0), sdk.orderBy('n', 'desc'), sdk.limit(2)),
        );
        const last = await sdk.getDocs(sdk.query(list, sdk.orderBy('n'), sdk.limitToLast(2)));
        const count = await sdk.getCountFromServer(list);
        return {
          top: top.docs.map((document) => document.data()),
          last: last.docs.map((document) => document.id),
          count: count.data().count,
        };
      }, folder);
      expect(result).toEqual({
        top: [
          { n: 40, name: 'ü4😀' },
          { n: 3, name: 'ü3😀' },
        ],
        last: ['d3', 'd4'],
        count: 5,
      });
    });
  },
);

test('listeners and queued writes outlive a restart of the server', async () => {
  const page = await openPage(false);
  await admin.doc('users/u1/kept/a').set({ status: 'queued' });
  await listen(page, 'users/u1/kept/a');
  await expect.poll(() => page.evaluate(() => events), SOON).toEqual(['queued']);
  await server.stop();
  const written = page.evaluate(() =>
    sdk.setDoc(sdk.doc(database, 'users/u1/kept/b'), { from: 'offline' }).then(() => true),
  );
  await server.restart();
  // The SDK waits some seconds before it tries again: this is the longest test here.
  expect(await written).toBe(true);
  expect((await admin.doc('users/u1/kept/b').get()).data()).toEqual({ from: 'offline' });
  await admin.doc('users/u1/kept/a').update({ status: 'completed' });
  await expect.poll(() => page.evaluate(() => events), SOON).toEqual(['queued', 'completed']);
  await page.close();
}, 60_000);

test('tabs that share a persistent cache all stay live, beyond the six connections that a browser opens', async () => {
  const context = await browser.newContext();
  const path = 'users/u1/tabs/a';
  await admin.doc(path).set({ status: 'queued' });
  const tabs: Page[] = [];
  for (let n = 0; n < 8; n++) {
    const tab = await openPage(false, context);
    await listen(tab, path);
    tabs.push(tab);
  }
  const statuses = () => Promise.all(tabs.map((tab) => tab.evaluate(() => events.at(-1))));
  await expect.poll(statuses, SOON).toEqual(tabs.map(() => 'queued'));
  await admin.doc(path).update({ status: 'completed' });
  await expect.poll(statuses, SOON).toEqual(tabs.map(() => 'completed'));
  await tabs[7]!.evaluate((target) => sdk.updateDoc(sdk.doc(database, target), { status: 'failed' }), path);
  await expect.poll(statuses, SOON).toEqual(tabs.map(() => 'failed'));
  await context.close();
}, 60_000);

/** With a context of its own the page shares a persistent cache with the context's other pages. */
async function openPage(longPolling: boolean, context?: BrowserContext): Promise<Page> {
  const page = await (context ?? browser).newPage();
  await pages.open(page, { server, longPolling, isShared: context !== undefined });
  return page;
}
