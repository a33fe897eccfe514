/** A proxy in front of a server that hands on every request, and loses or holds back the answers that it is told to. */
import { createServer, request as httpRequest } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A running proxy. */
export interface LosingProxy {
  /** `host:port`. */
  readonly host: string;
  /** The answers to the next `count` requests with this method are lost after the server has done its work. */
  loseAnswers(method: string, count: number): void;
  /** As `loseAnswers`, but the connection stays open and silent. */
  holdAnswers(method: string, count: number): void;
  close(): Promise<void>;
}

/** @param target `host:port` of the server behind it */
export async function startLosingProxy(target: string): Promise<LosingProxy> {
  const [hostname, port] = target.split(':');
  let fault = { method: '', count: 0, cuts: true };
  const server = createServer((incoming, outgoing) => {
    const { method, url: path, headers } = incoming;
    const forwarded = httpRequest({ hostname, port, method, path, headers }, (answer) => {
      if (method === fault.method && fault.count > 0) {
        fault.count -= 1;
        answer.resume();
        if (fault.cuts) answer.on('end', () => incoming.socket.destroy());
        return;
      }
      outgoing.writeHead(answer.statusCode!, answer.headers);
      answer.pipe(outgoing);
    });
    incoming.pipe(forwarded);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    host: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    loseAnswers(method, count) {
      fault = { method, count, cuts: true };
    },
    holdAnswers(method, count) {
      fault = { method, count, cuts: false };
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
