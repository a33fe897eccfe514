/** From a commit over gRPC to the callback of the web SDK in a real browser. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Firestore } from 'firebase-admin/firestore';
import { launchChromium } from '../../e2e/chromium.ts';
import { serveWebSdkPages } from '../../e2e/web-sdk-pages.ts';

declare const seen: { n: number; atMs: number }[];

/** Milliseconds of each of `writes` updates, by the one clock that both processes have. */
export async function measureBrowserLatencies(
  firestore: Firestore,
  port: number,
  writes: number,
): Promise<number[]> {
  const pages = await serveWebSdkPages(listeningPage(port));
  const browser = await launchChromium();
  try {
    const page = await browser.newPage();
    await page.goto(pages.url);
    await page.waitForFunction(() => typeof seen !== 'undefined' && seen.length > 0);
    const document = firestore.doc('bench/browser');
    const sentAtMs: number[] = [];
    for (let n = 1; n <= writes; n += 1) {
      sentAtMs[n] = Date.now();
      await document.set({ n });
      await sleep(15);
    }
    await page.waitForFunction((last) => seen.at(-1)?.n === last, writes);
    const events = await page.evaluate(() => seen);
    return events.filter(({ n }) => n > 0).map(({ n, atMs }) => atMs - sentAtMs[n]!);
  } finally {
    await browser.close();
    pages.close();
  }
}

/** Keeps what its listener hears, and when. */
function listeningPage(port: number): string {
  return `<!doctype html><script type="module">
    import { initializeApp } from '/firebase-app.js';
    import { connectFirestoreEmulator, doc, getFirestore, onSnapshot } from '/firebase-firestore.js';
    const firestore = getFirestore(initializeApp({ projectId: 'demo-bench', apiKey: 'none' }));
    connectFirestoreEmulator(firestore, '127.0.0.1', ${port});
    globalThis.seen = [];
    onSnapshot(doc(firestore, 'bench/browser'), (snapshot) => {
      seen.push({ n: snapshot.get('n') ?? 0, atMs: Date.now() });
    });
  </script>`;
}
