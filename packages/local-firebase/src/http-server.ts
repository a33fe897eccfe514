/** Puts a request handler on a TCP port, and takes it off again with every connection it has. */
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { LocalFirebaseError } from './errors.ts';

/** Where to listen. Port 0 takes any free one. */
export type ListenOptions = { port: number; host?: string };

/** A service that answers on a port until it is closed. */
export type RunningServer = {
  port: number;
  host: string;
  /** `http://host:port`, without a slash at the end. */
  url: string;
  /** Resolves when the port is free and the files are shut; calling it again is harmless. */
  close(): Promise<void>;
};

/**
 * Starts listening.
 *
 * @param beforeClosed runs once, when no connection is left: the place to close databases.
 * @throws LocalFirebaseError `address_unavailable` when the port is taken or the host is not ours.
 */
export async function listen(
  handler: RequestListener,
  { port, host = '127.0.0.1' }: ListenOptions,
  beforeClosed: () => void = () => {},
): Promise<RunningServer> {
  // An upload may take longer than Node's five minutes, and clients keep idle connections for longer than its five seconds.
  const server = createServer({ requestTimeout: 0, keepAliveTimeout: 60_000 }, handler);
  await new Promise<void>((resolve, reject) => {
    server.once('error', (cause) => {
      const message = `Cannot listen on ${host}:${port}: ${(cause as Error).message}. Name another port or host.`;
      reject(new LocalFirebaseError('address_unavailable', message, { cause }));
    });
    server.listen(port, host, resolve);
  });
  let closing: Promise<void> | undefined;
  const close = async () => {
    await new Promise<void>((resolve) => {
      server.close(() => resolve());
      // Browsers and SDKs keep idle connections open for minutes: a close that waits for them never ends.
      server.closeAllConnections();
    });
    beforeClosed();
  };
  const bound = (server.address() as AddressInfo).port;
  return {
    port: bound,
    host,
    url: `http://${host.includes(':') ? `[${host}]` : host}:${bound}`,
    close: () => {
      closing ??= close();
      return closing;
    },
  };
}
