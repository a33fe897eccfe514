/** A page with the unmodified web SDK for a real browser: its own builds, from another origin than the services', as in any app. */
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import type { AddressInfo } from 'node:net';
import { dirname, join } from 'node:path';

/** The builds say where they expect each other. */
const VENDOR_ADDRESS = /https:\/\/www\.gstatic\.com\/firebasejs\/[\d.]+\//g;
const sdkFolder = dirname(createRequire(import.meta.url).resolve('firebase/package.json'));

/** One page, served on this machine. */
export interface WebSdkPages {
  /** Of the page; it takes any query. */
  readonly url: string;
  close(): void;
}

/** @param html may import `/firebase-app.js`, `/firebase-auth.js` and so on */
export async function serveWebSdkPages(html: string): Promise<WebSdkPages> {
  const server = createServer(async (request, response) => {
    const [path] = (request.url ?? '/').split('?') as [string];
    if (path === '/') {
      response.writeHead(200, { 'content-type': 'text/html' }).end(html);
    } else if (/^\/firebase-[a-z-]+\.js$/.test(path)) {
      const source = await readFile(join(sdkFolder, path), 'utf8');
      response
        .writeHead(200, { 'content-type': 'text/javascript' })
        .end(source.replaceAll(VENDOR_ADDRESS, '/'));
    } else {
      response.writeHead(404).end();
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}/`, close: () => void server.close() };
}
