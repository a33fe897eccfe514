/** From a commit over gRPC to the callback of the web SDK in a real browser. */
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import type { AddressInfo } from 'node:net';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Firestore } from 'firebase-admin/firestore';
import { launchChromium } from '../../e2e/chromium.ts';

declare const seen: { n: number; atMs: number }[];

const sdkFolder = dirname(createRequire(import.meta.url).resolve('firebase/package.json'));

/** Milliseconds of each of `writes` updates, by the one clock that both processes have. */
export async function measureBrowserLatencies(
  firestore: Firestore,
  port: number,
  writes: number,
): Promise<number[]> {
  const pages = createServer((request, response) => {
    void answer(request.url ?? '/', port).then(({ type, content }) => {
      response.writeHead(200, { 'content-type': type }).end(content);
    });
  }).listen(0, '127.0.0.1');
  await once(pages, 'listening');
  const browser = await launchChromium();
  try {
    const page = await browser.newPage();
    await page.goto(`http://127.0.0.1:${(pages.address() as AddressInfo).port}/`);
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

async function answer(path: string, port: number): Promise<{ type: string; content: string }> {
  if (/^\/firebase-(app|firestore)\.js$/.test(path)) {
    const content = await readFile(join(sdkFolder, path), 'utf8');
    return {
      type: 'text/javascript',
      content: content.replaceAll(/https:\/\/www\.gstatic\.com\/firebasejs\/[\d.]+\//g, '/'),
    };
  }
  return {
    type: 'text/html',
    content: `<!doctype html><script type="module">
      import { initializeApp } from '/firebase-app.js';
      import { connectFirestoreEmulator, doc, getFirestore, onSnapshot } from '/firebase-firestore.js';
      const firestore = getFirestore(initializeApp({ projectId: 'demo-bench', apiKey: 'none' }));
      connectFirestoreEmulator(firestore, '127.0.0.1', ${port});
      globalThis.seen = [];
      onSnapshot(doc(firestore, 'bench/browser'), (snapshot) => {
        seen.push({ n: snapshot.get('n') ?? 0, atMs: Date.now() });
      });
    </script>`,
  };
}
