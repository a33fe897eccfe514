/** `fetch` without sockets: requests go straight to a handler of exchanges, so that a test's clock alone decides the order. */
import { type Exchange, segmentsOf } from '../src/local/exchange.ts';

/** A `fetch` whose every request `handle` answers, refuses or breaks. */
export function createMemoryFetch(handle: (exchange: Exchange) => Promise<void>): typeof fetch {
  return (target, { method = 'GET', headers, body, signal } = {}) =>
    new Promise<Response>((resolve, reject) => {
      const url = new URL(String(target));
      const gone = new AbortController();
      const text = body instanceof Uint8Array ? Buffer.from(body).toString('utf8') : String(body ?? '');
      const leave = () => {
        gone.abort();
        reject(signal?.reason);
      };
      if (signal?.aborted) return leave();
      signal?.addEventListener('abort', leave, { once: true });

      function answer(make: () => Response | Error): boolean {
        if (gone.signal.aborted) return false;
        signal?.removeEventListener('abort', leave);
        const result = make();
        if (result instanceof Error) reject(result);
        else resolve(result);
        return true;
      }

      void handle({
        method,
        segments: segmentsOf(url.pathname),
        query: url.searchParams,
        authorization: new Headers(headers).get('authorization') ?? undefined,
        callerGone: gone.signal,
        readBody: async (maxBytes) => (Buffer.byteLength(text) > maxBytes ? undefined : text),
        async reply(status, value, replyHeaders = {}) {
          const replyText = value === undefined ? null : JSON.stringify(value);
          return answer(() => new Response(replyText, { status, headers: replyHeaders }));
        },
        replyPartly(status, value, replyHeaders = {}) {
          const half = JSON.stringify(value ?? '').slice(0, 1);
          answer(
            () =>
              new Response(brokenOff(half), { status: status === 204 ? 200 : status, headers: replyHeaders }),
          );
        },
        cut() {
          const cause = Object.assign(new Error('other side closed'), { code: 'UND_ERR_SOCKET' });
          answer(() => new TypeError('fetch failed', { cause }));
        },
      });
    });
}

function brokenOff(text: string): ReadableStream<Uint8Array> {
  return new ReadableStream({
    pull(controller) {
      controller.enqueue(new TextEncoder().encode(text));
      controller.error(new TypeError('terminated'));
    },
  });
}
