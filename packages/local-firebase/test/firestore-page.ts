/** Pages with the unmodified web SDK for a real browser: its own builds, from another origin than Firestore's, as in any app. */
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import type { AddressInfo } from 'node:net';
import { dirname, join } from 'node:path';
import type { Page } from 'playwright-core';

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

const firebaseFolder = dirname(createRequire(import.meta.url).resolve('firebase/package.json'));

export async function serveFirestorePages(): Promise<FirestorePages> {
  const html = `<!doctype html><script type="module">
    import * as app from '/firebase-app.js';
    import * as firestore from '/firebase-firestore.js';
    globalThis.sdk = { ...app, ...firestore };
  </script>`;
  const handle = async (path: string): Promise<{ type: string; content: string }> => {
    if (path === '/') return { type: 'text/html', content: html };
    if (!/^\/firebase-(app|firestore)\.js$/.test(path)) return { type: 'text/plain', content: '' };
    const content = await readFile(join(firebaseFolder, path), 'utf8');
    return {
      type: 'text/javascript',
      content: content.replaceAll(/https:\/\/www\.gstatic\.com\/firebasejs\/[\d.]+\//g, '/'),
    };
  };
  const pageServer = createServer((request, response) => {
    handle(request.url ?? '/').then(
      ({ type, content }) => {
        response.writeHead(200, { 'Content-Type': type });
        response.end(content);
      },
      (error: unknown) => {
        response.writeHead(500);
        response.end(String(error));
      },
    );
  });
  await new Promise<void>((resolve) => pageServer.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(pageServer.address() as AddressInfo).port}/`;
  return {
    open: (page, connection) => open(page, url, connection),
    close: () => void pageServer.close(),
  };
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
