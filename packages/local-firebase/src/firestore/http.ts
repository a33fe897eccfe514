/** The HTTP/1.1 side: CORS, and the way to WebChannel, REST and the emulator's own endpoints. */
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import { answerEmulator } from './emulator-endpoints.ts';
import { stringifyJson } from './protos.ts';
import { answerRest } from './rest.ts';
import { type Service, toStatusError } from './service.ts';
import { errorBodyOf, invalidArgument } from './status.ts';
import { createWebChannelTransport } from './web-channel.ts';

/** The cloud's figure. */
const MAX_BODY_BYTES = 11_534_336;

export type HttpTransport = { handle: RequestListener; close(): void };

export function createHttpTransport(service: Service): HttpTransport {
  const webChannel = createWebChannelTransport(service);

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    allowOrigin(request, response);
    if (request.method === 'OPTIONS') {
      response.writeHead(204, {
        'Access-Control-Allow-Methods': 'GET, POST, PUT, PATCH, DELETE, OPTIONS',
        'Access-Control-Allow-Headers': request.headers['access-control-request-headers'] ?? '*',
        'Access-Control-Max-Age': '3600',
      });
      response.end();
      return;
    }
    const target = request.url ?? '/';
    if (!URL.canParse(target, 'http://localhost')) throw invalidArgument(`"${target}" is not a URL.`);
    const url = new URL(target, 'http://localhost');
    const body = await readBody(request);
    if (url.pathname.endsWith('/channel')) {
      webChannel.handle(request, response, url, body);
      return;
    }
    if (url.pathname === '/') {
      response.writeHead(200, { 'Content-Type': 'text/plain; charset=utf-8' });
      response.end('Ok\n');
      return;
    }
    const json =
      (await answerEmulator(service, { method: request.method, path: url.pathname, body })) ??
      (await answerRest(service, {
        method: request.method ?? 'GET',
        path: url.pathname,
        parameters: url.searchParams,
        authorization: request.headers.authorization,
        body,
      }));
    sendJson(response, 200, json);
  }

  return {
    handle(request, response) {
      answer(request, response).catch((error: unknown) => {
        if (response.headersSent || response.destroyed) {
          service.logger.debug({ err: error }, 'A Firestore request ended before its answer');
          response.destroy();
          return;
        }
        const body = errorBodyOf(toStatusError(service, error));
        sendJson(response, body.error.code, body);
      });
    },
    close: webChannel.close,
  };
}

/** Browsers send credentials with channel requests, and then a star does not do: the origin is echoed. */
function allowOrigin(request: IncomingMessage, response: ServerResponse): void {
  const { origin } = request.headers;
  if (origin === undefined) return;
  response.setHeader('Access-Control-Allow-Origin', origin);
  response.setHeader('Access-Control-Allow-Credentials', 'true');
  response.setHeader('Vary', 'Origin');
}

/** A body that is too large is read to its end and dropped: the answer, and the next request, need the connection. */
async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let sizeBytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    sizeBytes += chunk.length;
    if (sizeBytes <= MAX_BODY_BYTES) chunks.push(chunk);
    else chunks.length = 0;
  }
  if (sizeBytes > MAX_BODY_BYTES) {
    throw invalidArgument(`Request payload size exceeds the limit: ${MAX_BODY_BYTES} bytes.`);
  }
  return Buffer.concat(chunks).toString();
}

function sendJson(response: ServerResponse, status: number, json: unknown): void {
  response.writeHead(status, { 'Content-Type': 'application/json; charset=utf-8' });
  response.end(stringifyJson(json));
}
