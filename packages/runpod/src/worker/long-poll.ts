/** Long polls over node:http that can be left without losing a reply that the server has already sent. */
import type { Clock } from '../clock.ts';
import { type HttpConnections, type HttpReply, readReply } from './http-connections.ts';

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

/** Polls that can be left. */
export interface LongPoller {
  /**
   * @returns the reply, also one that came while the poll was being left; undefined when it was left without one
   * @throws Error of node:http when the connection fails
   */
  poll(url: string, options: LongPollOptions): Promise<HttpReply | undefined>;
}

/** For the rest of a reply whose head has arrived. */
const BODY_TIMEOUT_MS = 30_000;

/**
 * Leaving a poll closes our direction of the connection only. The server learns of it at once and assigns no job any
 * more, while the job that it assigned a moment before still arrives. An aborted fetch would throw that away.
 */
export function createLongPoller(connections: HttpConnections, clock: Clock): LongPoller {
  function attempt(url: string, options: LongPollOptions): Promise<HttpReply | 'left' | 'stale'> {
    const { headers, signal, holdMs, lingerMs } = options;
    if (signal.aborted) return Promise.resolve('left');
    return new Promise((resolve, reject) => {
      const call = connections.open(url, { method: 'GET', headers });
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
      call.once('response', (response) => {
        // A reply that has begun may carry a job: it is read to its end, whoever stops waiting now.
        settle();
        cancelTimer = clock.after(BODY_TIMEOUT_MS, () => call.destroy());
        void readReply(response).then(resolve, reject).finally(settle);
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
  };
}
