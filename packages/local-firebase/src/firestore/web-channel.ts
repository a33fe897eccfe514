/** The WebChannel transport: what the web SDK speaks in browsers for Listen and Write. */
import { randomBytes } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Caller } from './identity.ts';
import { createListenSession, type Outlet, type StreamSession } from './listen.ts';
import type { ListenRequest, WriteRequest } from './messages.ts';
import { messageFromJson, messageToJson } from './protos.ts';
import { type Service, toStatusError } from './service.ts';
import { errorBodyOf, invalidArgument, StatusError } from './status.ts';
import { createWebChannelSession, KEEP_ALIVE_MS, type WebChannelSession } from './web-channel-session.ts';
import { encodeFrame, parseForwardBody } from './web-channel-wire.ts';
import { createWriteSession } from './write-stream.ts';

/** WebChannel's wire version, and the version that servers of it announce for themselves. */
const WIRE_VERSION = 8;
const SERVER_VERSION = 14;

const CHANNEL_PATH = /^\/google\.firestore\.v1\.Firestore\/(Listen|Write)\/channel$/;

const RESPONSE_HEADERS = {
  'Content-Type': 'text/plain; charset=utf-8',
  'Cache-Control': 'no-cache, no-store, max-age=0, must-revalidate',
  'X-Content-Type-Options': 'nosniff',
  'X-Accel-Buffering': 'no',
};

export type WebChannelTransport = {
  /** @throws StatusError for what is no channel request. */
  handle(request: IncomingMessage, response: ServerResponse, url: URL, body: string): void;
  close(): void;
};

export function createWebChannelTransport(service: Service): WebChannelTransport {
  const sessions = new Map<string, WebChannelSession>();

  function handshake(
    response: ServerResponse,
    method: 'Listen' | 'Write',
    version: string | null,
    body: string,
  ): void {
    if (version !== String(WIRE_VERSION)) {
      throw invalidArgument(`WebChannel version ${version} is not ${WIRE_VERSION}.`);
    }
    const { headers, maps } = parseForwardBody(body);
    const id = randomBytes(12).toString('base64url');
    const session = createStreamSession(service, id, method, headers['authorization'], () =>
      sessions.delete(id),
    );
    sessions.set(id, session);
    response.writeHead(200, {
      ...RESPONSE_HEADERS,
      'X-HTTP-Session-Id': id,
      'Access-Control-Expose-Headers': 'X-HTTP-Session-Id',
    });
    response.end(encodeFrame([[0, ['c', id, '', WIRE_VERSION, SERVER_VERSION, KEEP_ALIVE_MS]]]));
    session.receive(maps);
  }

  function forward(response: ServerResponse, session: WebChannelSession, body: string): void {
    const { maps } = parseForwardBody(body);
    response.writeHead(200, RESPONSE_HEADERS);
    response.end(encodeFrame(session.status()));
    session.receive(maps);
  }

  return {
    handle(request, response, url, body) {
      const parameters = url.searchParams;
      const method = CHANNEL_PATH.exec(url.pathname)?.[1] as 'Listen' | 'Write' | undefined;
      if (method === undefined) throw new StatusError('NOT_FOUND', `There is no channel at ${url.pathname}.`);
      const id = parameters.get('SID');
      if (id === null) {
        handshake(response, method, parameters.get('VER'), body);
        return;
      }
      const session = sessions.get(id);
      if (session === undefined) {
        // The client looks for these two words, and not at the start.
        response.writeHead(400, RESPONSE_HEADERS);
        response.end('Error: Unknown SID');
        return;
      }
      if (parameters.get('TYPE') === 'terminate') {
        response.writeHead(200, RESPONSE_HEADERS);
        response.end();
        session.close();
        return;
      }
      const acknowledged = Number(parameters.get('AID') ?? Number.NaN);
      if (Number.isInteger(acknowledged)) session.acknowledge(acknowledged);
      if (request.method === 'GET') {
        response.writeHead(200, RESPONSE_HEADERS);
        response.flushHeaders();
        const timeoutMs = Number(parameters.get('TO') ?? 0);
        session.openBackChannel(response, {
          isStreaming: parameters.get('CI') !== '1',
          timeoutMs: timeoutMs > 0 ? timeoutMs : undefined,
        });
      } else forward(response, session, body);
    },
    close() {
      for (const session of [...sessions.values()]) session.close();
    },
  };
}

/** Ties a channel to a Listen or Write stream. Identity is that of the handshake: a new token opens a new channel. */
function createStreamSession(
  service: Service,
  id: string,
  method: 'Listen' | 'Write',
  authorization: string | undefined,
  onClose: () => void,
): WebChannelSession {
  let stream: StreamSession<ListenRequest & WriteRequest> | undefined;

  const session = createWebChannelSession(id, {
    async onMessage(data) {
      try {
        const request = messageFromJson(`${method}Request`, parseJson(data));
        stream ??= openStream(service.callerOf(authorization));
        await stream.handle(request);
      } catch (error) {
        fail(error);
      }
    },
    onRelief: () => stream?.onRelief(),
    onClose() {
      stream?.close();
      stream = undefined;
      onClose();
    },
  });

  function openStream(caller: Caller): StreamSession<ListenRequest & WriteRequest> {
    const outlet: Outlet<object> = {
      send(response) {
        try {
          session.send(messageToJson(`${method}Response`, response));
        } catch (error) {
          // A message that cannot be written must end this stream, not the commit that caused it.
          fail(error);
        }
      },
      isCongested: session.isCongested,
      fail,
    };
    return method === 'Listen'
      ? createListenSession(service, caller, outlet)
      : createWriteSession(service, caller, outlet);
  }

  function fail(error: unknown): void {
    stream?.close();
    session.send(errorBodyOf(toStatusError(service, error)));
    session.finish();
  }

  return session;
}

function parseJson(data: string): unknown {
  try {
    return JSON.parse(data);
  } catch (cause) {
    throw invalidArgument('A channel message is not JSON.', { cause });
  }
}
