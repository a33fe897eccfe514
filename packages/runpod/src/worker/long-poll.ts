/** Long polls over node:http that can be left without losing a reply that the server has already sent. */
import { Agent, type ClientRequest, type IncomingMessage, request as requestHttp } from 'node:http';
import { request as requestHttps, Agent as SecureAgent } from 'node:https';
import { text } from 'node:stream/consumers';
import type { Clock } from '../clock.ts';

/** What the server said. */
export interface LongPollReply {
  status: number;
  /** The Retry-After header as it came. */
  retryAfter: string | undefined;
  text: string;
}

/** How one poll is made and left. */
interface LongPollOptions {
  headers: Record<string, string>;
  /** Leaves the poll. */
  signal: AbortSignal;
  /** Leaves it by itself after so long without a reply. */
  holdMs: number;
  /** How long a poll that was left may still bring a reply. */
  lingerMs: number;
}

/** Polls over connections of its own. */
export interface LongPoller {
  /**
   * @returns the reply, also one that came while the poll was being left; undefined when it was left without one
   * @throws Error of node:http when the connection fails
   */
  poll(url: string, options: LongPollOptions): Promise<LongPollReply | undefined>;
  close(): void;
}

/** For the rest of a reply whose head has arrived. */
const BODY_TIMEOUT_MS = 30_000;

/**
 * Leaving a poll closes our direction of the connection only. The server learns of it at once and assigns no job any
 * more, while the job that it assigned a moment before still arrives. An aborted fetch would throw that away.
 */
export function createLongPoller(clock: Clock): LongPoller {
  const plain = new Agent({ keepAlive: true });
  const secure = new SecureAgent({ keepAlive: true });

  function open(url: string, headers: Record<string, string>): ClientRequest {
    return url.startsWith('https:')
      ? requestHttps(url, { agent: secure, headers })
      : requestHttp(url, { agent: plain, headers });
  }

  function attempt(url: string, options: LongPollOptions): Promise<LongPollReply | 'left' | 'stale'> {
    const { headers, signal, holdMs, lingerMs } = options;
    if (signal.aborted) return Promise.resolve('left');
    return new Promise((resolve, reject) => {
      const call = open(url, headers);
      let isLeft = false;
      let cancelTimer = clock.after(holdMs, leave);
      signal.addEventListener('abort', leave, { once: true });

      function leave(): void {
        isLeft = true;
        cancelTimer();
        const { socket } = call;
        if (lingerMs === 0 || !socket || socket.connecting) {
          call.destroy();
          return;
        }
        socket.end();
        cancelTimer = clock.after(lingerMs, () => call.destroy());
      }
      function settle(): void {
        cancelTimer();
        signal.removeEventListener('abort', leave);
      }
      call.once('response', (response: IncomingMessage) => {
        // A reply that has begun may carry a job: it is read to its end, whoever stops waiting now.
        settle();
        cancelTimer = clock.after(BODY_TIMEOUT_MS, () => call.destroy());
        const reply = (body: string) => ({
          status: response.statusCode ?? 0,
          retryAfter: response.headers['retry-after'],
          text: body,
        });
        text(response)
          .then((body) => resolve(reply(body)), reject)
          .finally(settle);
      });
      call.on('error', (error: NodeJS.ErrnoException) => {
        settle();
        if (isLeft) resolve('left');
        // The server closed an idle connection just as we took it up again.
        else if (call.reusedSocket && error.code === 'ECONNRESET') resolve('stale');
        else reject(error);
      });
      call.end();
    });
  }

  return {
    async poll(url, options) {
      while (true) {
        const outcome = await attempt(url, options);
        if (outcome === 'left') return undefined;
        if (outcome !== 'stale') return outcome;
      }
    },
    close() {
      plain.destroy();
      secure.destroy();
    },
  };
}
