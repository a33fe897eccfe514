/** A small JSON server on node:http that knows what held polls need: when the caller left, and whether it got the reply. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Clock } from '../clock.ts';
import { RunpodError } from '../errors.ts';
import { type Exchange, type ReplyHeaders, segmentsOf } from './exchange.ts';
import { type ExchangeObserver, recordedHeaders, sideOf } from './exchange-record.ts';

/** A listening server. */
export interface HttpServer {
  readonly port: number;
  /** Cuts open connections. */
  close(): Promise<void>;
}

/** How an exchange is carried and observed. */
export interface HttpServerOptions {
  host: string;
  /** 0 for any free one. */
  port: number;
  /** Answers; must not reject. */
  handle(exchange: Exchange): Promise<void>;
  observe?: ExchangeObserver | undefined;
  /** Kept out of what observers get. */
  apiKey: string;
  clock: Clock;
}

/** Longer bodies are cut to this while they are read: no limit of the API is as large. */
const MAX_KEPT_BYTES = 32_000_000;

/** @throws RunpodError `port_unavailable` */
export async function startHttpServer(options: HttpServerOptions): Promise<HttpServer> {
  const { host, port } = options;
  const server = createServer((request, response) => {
    void options.handle(createExchange(request, response, options));
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

function createExchange(
  request: IncomingMessage,
  response: ServerResponse,
  { observe, apiKey, clock }: HttpServerOptions,
): Exchange {
  const url = new URL(request.url ?? '/', 'http://local');
  const segments = segmentsOf(url.pathname);
  const startedAtMs = clock.now();
  const gone = new AbortController();
  let body: Promise<RequestBody> | undefined;
  let bodyText = '';
  let replied: { status: number; text: string } | undefined;

  response.once('close', () => {
    if (!response.writableFinished) gone.abort();
    const operation = segments[2] ?? '';
    observe?.({
      side: sideOf(operation),
      operation,
      method: request.method ?? 'GET',
      path: url.pathname,
      query: url.search.slice(1),
      headers: recordedHeaders(request.headers, apiKey),
      body: bodyText,
      status: replied?.status,
      reply: replied?.text ?? '',
      isComplete: replied !== undefined && response.writableFinished,
      startedAtMs,
      endedAtMs: clock.now(),
    });
  });

  function writeHead(status: number, value: unknown, headers: ReplyHeaders): Buffer {
    const text = value === undefined ? '' : JSON.stringify(value);
    replied = { status, text };
    const bytes = Buffer.from(text);
    response.writeHead(status, {
      ...(value === undefined
        ? {}
        : { 'content-type': 'application/json', 'content-length': bytes.byteLength }),
      ...headers,
    });
    return bytes;
  }

  return {
    method: request.method ?? 'GET',
    segments,
    query: url.searchParams,
    authorization: request.headers.authorization,
    callerGone: gone.signal,
    async readBody(maxBytes) {
      body ??= readAll(request).catch((error) => {
        // It left while it was sending: the reply's end, which says so too, may come after this.
        if (!request.complete) gone.abort();
        throw error;
      });
      const { bytes, sizeBytes } = await body;
      if (sizeBytes > maxBytes) return undefined;
      bodyText = bytes.toString('utf8');
      return bodyText;
    },
    reply(status, value, headers = {}) {
      return new Promise((resolve) => {
        // Half of a reply cannot be mended by another.
        if (response.headersSent) response.destroy();
        if (response.destroyed) return resolve(false);
        response.once('close', () => resolve(response.writableFinished));
        response.once('finish', () => resolve(true));
        response.end(writeHead(status, value, headers));
      });
    },
    replyPartly(status, value, headers = {}) {
      const bytes = writeHead(status, value, headers);
      response.write(bytes.subarray(0, bytes.byteLength >> 1), () => response.destroy());
    },
    cut: () => response.destroy(),
  };
}

interface RequestBody {
  bytes: Buffer;
  /** Of the whole body, also where `bytes` are only its beginning. */
  sizeBytes: number;
}

async function readAll(request: IncomingMessage): Promise<RequestBody> {
  const chunks: Buffer[] = [];
  let sizeBytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    sizeBytes += chunk.byteLength;
    if (sizeBytes <= MAX_KEPT_BYTES) chunks.push(chunk);
  }
  return { bytes: Buffer.concat(chunks), sizeBytes };
}
