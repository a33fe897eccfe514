/** An https server on this machine that misbehaves as its paths say, under names that no name server knows. */
import { createServer as createHttpServer, type RequestListener } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { TEST_CERTIFICATE, TEST_CERTIFICATE_KEY } from './test-certificate.ts';

/** What a test needs of it. */
export interface PictureServer {
  port: number;
  /** Path and host of each request, in order. */
  requests: string[];
  close(): Promise<void>;
}

/**
 * Serves `bytes` at /picture. /to?… redirects there, /loop to itself, /endless never ends, /cut breaks off, /silent does
 * not answer, /lies says one length and sends another, anything else is 404.
 */
export async function startPictureServer(
  bytes: Buffer,
  scheme: 'https' | 'http' = 'https',
): Promise<PictureServer> {
  const requests: string[] = [];
  const answer: RequestListener = (request, response) => {
    requests.push(`${request.headers.host} ${request.url}`);
    const { pathname, search } = new URL(request.url ?? '/', 'https://any.test');
    const redirect = (location: string) => response.writeHead(302, { location }).end();
    if (pathname === '/picture') response.end(bytes);
    else if (pathname === '/to') redirect(decodeURIComponent(search.slice(1)));
    else if (pathname === '/loop') redirect('/loop');
    else if (pathname === '/cut') {
      response.writeHead(200, { 'content-length': bytes.length });
      response.write(bytes.subarray(0, 10), () => response.destroy());
    } else if (pathname === '/endless') {
      const send = () => {
        while (!response.destroyed && response.write(bytes));
      };
      response.on('drain', send);
      send();
    } else if (pathname === '/large') {
      response.writeHead(200, { 'content-length': 1_000_000_000 }).flushHeaders();
    } else if (pathname !== '/silent') response.writeHead(404).end();
  };
  const server =
    scheme === 'https'
      ? createServer({ cert: TEST_CERTIFICATE, key: TEST_CERTIFICATE_KEY }, answer)
      : createHttpServer(answer);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    requests,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
