/** Requests over connections that are kept open, on node:http: in a small worker, fetch costs more memory than all the rest. */
import { Agent, type ClientRequest, type IncomingMessage, request as requestHttp } from 'node:http';
import { request as requestHttps, Agent as SecureAgent } from 'node:https';
import { text } from 'node:stream/consumers';

/** What a server said. */
export interface HttpReply {
  status: number;
  /** The Retry-After header as it came. */
  retryAfter: string | undefined;
  text: string;
}

/** What is asked. */
interface HttpRequest {
  method: 'GET' | 'POST';
  headers: Record<string, string>;
  body?: Uint8Array | undefined;
  /** Ends the call with an AbortError. */
  signal: AbortSignal;
}

/** Some connections. */
export interface HttpConnections {
  /** A call that has not been sent: `end()` sends it. */
  open(url: string, options: { method: string; headers: Record<string, string> }): ClientRequest;
  /** @throws Error of node:http when the connection fails, or the signal aborts */
  send(url: string, request: HttpRequest): Promise<HttpReply>;
  /** Cuts what is open. */
  close(): void;
}

export function createHttpConnections(): HttpConnections {
  const plain = new Agent({ keepAlive: true });
  const secure = new SecureAgent({ keepAlive: true });

  function open(
    url: string,
    options: { method: string; headers: Record<string, string>; signal?: AbortSignal },
  ): ClientRequest {
    return url.startsWith('https:')
      ? requestHttps(url, { ...options, agent: secure })
      : requestHttp(url, { ...options, agent: plain });
  }

  return {
    open,
    send(url, { body, ...options }) {
      return new Promise((resolve, reject) => {
        const call = open(url, options);
        call.once('response', (response) => void readReply(response).then(resolve, reject));
        call.once('error', reject);
        call.end(body);
      });
    },
    close() {
      plain.destroy();
      secure.destroy();
    },
  };
}

/** @throws Error when the connection breaks before the reply's end */
export async function readReply(response: IncomingMessage): Promise<HttpReply> {
  return {
    status: response.statusCode ?? 0,
    retryAfter: response.headers['retry-after'],
    text: await text(response),
  };
}
