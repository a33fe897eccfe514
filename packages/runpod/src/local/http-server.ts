/** A small JSON server on node:http that knows what held polls need: when the caller left, and whether it got the reply. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describeError, RunpodError } from '../errors.ts';
import type { Logger } from '../logger.ts';

/** One request and its reply. */
export interface Exchange {
  readonly method: string;
  /** The path's segments, decoded: `/v2/abc/run` → `['v2', 'abc', 'run']`. */
  readonly segments: readonly string[];
  readonly query: URLSearchParams;
  readonly authorization: string | undefined;
  /** Aborts when the caller's connection closes before the reply has left. */
  readonly callerGone: AbortSignal;
  /**
   * The body as text.
   *
   * @returns undefined when it is longer than `maxBytes`; the rest is read and thrown away
   */
  readBody(maxBytes: number): Promise<string | undefined>;
  /** Sends JSON, or nothing when `body` is undefined; resolves true when all of it was handed to the connection. */
  reply(status: number, body?: unknown): Promise<boolean>;
}

/** Thrown by a handler: answered as `{error}` with its status. */
export class RefusedRequest extends Error {
  override readonly name = 'RefusedRequest';
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

/** A listening server. */
export interface HttpServer {
  readonly port: number;
  /** Cuts open connections. */
  close(): Promise<void>;
}

/**
 * @param options.port 0 for any free one
 * @throws RunpodError `port_unavailable`
 */
export async function startHttpServer(options: {
  host: string;
  port: number;
  handle(exchange: Exchange): Promise<void>;
  logger: Logger;
}): Promise<HttpServer> {
  const { host, port, handle, logger } = options;
  const server = createServer((request, response) => {
    const exchange = createExchange(request, response);
    handle(exchange).catch((thrown) => answerFailure(thrown, exchange));
    async function answerFailure(thrown: unknown, { reply }: Exchange): Promise<void> {
      if (response.headersSent) {
        response.destroy();
      } else if (thrown instanceof RefusedRequest) {
        await reply(thrown.status, { error: thrown.message });
      } else if (request.complete) {
        logger.error(
          { error: describeError(thrown), path: request.url },
          'The local RunPod failed to answer a request.',
        );
        await reply(500, { error: 'The local RunPod failed to answer; see its log.' });
      }
      // What is left is a caller that went away while it was sending: its own affair.
    }
  });
  // Held polls and idle workers come back seconds apart: their connections are worth keeping.
  server.keepAliveTimeout = 65_000;
  await new Promise<void>((resolve, reject) => {
    server.once('error', (cause) => {
      const message = `The local RunPod cannot listen on ${host}:${port}: ${cause.message}.`;
      reject(new RunpodError('port_unavailable', message, { cause }));
    });
    server.listen(port, host, resolve);
  });
  return {
    port: (server.address() as AddressInfo).port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function createExchange(request: IncomingMessage, response: ServerResponse): Exchange {
  const url = new URL(request.url ?? '/', 'http://local');
  const gone = new AbortController();
  response.once('close', () => {
    if (!response.writableFinished) gone.abort();
  });
  return {
    method: request.method ?? 'GET',
    segments: url.pathname.split('/').filter(Boolean).map(decodeSegment),
    query: url.searchParams,
    authorization: request.headers.authorization,
    callerGone: gone.signal,
    async readBody(maxBytes) {
      const chunks: Buffer[] = [];
      let sizeBytes = 0;
      for await (const chunk of request as AsyncIterable<Buffer>) {
        sizeBytes += chunk.byteLength;
        if (sizeBytes <= maxBytes) chunks.push(chunk);
      }
      return sizeBytes <= maxBytes ? Buffer.concat(chunks).toString('utf8') : undefined;
    },
    reply(status, body) {
      return new Promise((resolve) => {
        if (response.destroyed) return resolve(false);
        response.once('close', () => resolve(response.writableFinished));
        response.once('finish', () => resolve(true));
        if (body === undefined) response.writeHead(status).end();
        else response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
      });
    },
  };
}

function decodeSegment(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment;
  }
}
