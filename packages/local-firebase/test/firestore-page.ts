/** Pages that have the web SDK's Firestore, for a real browser. */
import type { Page } from 'playwright-core';
import { serveWebSdkPages } from '../../../e2e/web-sdk-pages.ts';

/** What each page has on its window: the SDK, and a Firestore connected to the server as user u1. */
export type PageSdk = typeof import('firebase/app') & typeof import('firebase/firestore');
export type PageDatabase = import('firebase/firestore').Firestore;
declare const sdk: PageSdk;
declare const database: PageDatabase;
declare const events: string[];

/** How a page connects. */
type PageConnection = {
  server: { host: string; port: number; projectId: string };
  longPolling: boolean;
  /** Whether all pages of its browser context share one persistent cache. */
  isShared: boolean;
};

export type FirestorePages = {
  /** Loads the SDK into a page and connects it as user u1. */
  open(page: Page, connection: PageConnection): Promise<void>;
  close(): void;
};

export async function serveFirestorePages(): Promise<FirestorePages> {
  const html = `<!doctype html><script type="module">
    import * as app from '/firebase-app.js';
    import * as firestore from '/firebase-firestore.js';
    globalThis.sdk = { ...app, ...firestore };
  </script>`;
  const { url, close } = await serveWebSdkPages(html);
  return { open: (page, connection) => open(page, url, connection), close };
}

async function open(page: Page, url: string, { server, ...options }: PageConnection): Promise<void> {
  await page.goto(url);
  await page.waitForFunction('globalThis.sdk !== undefined');
  const { host, port, projectId } = server;
  await page.evaluate(
    ({ host, port, projectId, longPolling, isShared }) => {
      const app = sdk.initializeApp({ projectId, apiKey: 'local' });
      const localCache = isShared
        ? sdk.persistentLocalCache({ tabManager: sdk.persistentMultipleTabManager() })
        : sdk.memoryLocalCache();
      const firestore = sdk.initializeFirestore(app, {
        localCache,
        experimentalForceLongPolling: longPolling,
      });
      sdk.connectFirestoreEmulator(firestore, host, port, { mockUserToken: { sub: 'u1' } });
      Object.assign(globalThis, { database: firestore, events: [] });
    },
    { host, port, projectId, ...options },
  );
}

/** Pushes each new `status` of a document to the page's events, once the server has confirmed it. */
export async function listenOnPage(page: Page, path: string): Promise<void> {
  await page.evaluate((target) => {
    // Without metadata changes no event tells that a write is confirmed when it changes nothing else.
    sdk.onSnapshot(sdk.doc(database, target), { includeMetadataChanges: true }, (snapshot) => {
      const status = snapshot.get('status') ?? 'missing';
      const isConfirmed = !snapshot.metadata.hasPendingWrites && !snapshot.metadata.fromCache;
      if (isConfirmed && status !== events.at(-1)) events.push(status);
    });
  }, path);
}
