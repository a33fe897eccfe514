/** A platform of its own for each test of the worker: a real HTTP server whose replies the test scripts. */
import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterEach, vi } from 'vitest';
import { platformEnvironment } from '../src/local/platform-environment.ts';
import {
  type Handler,
  type StreamingHandler,
  settingsFrom,
  startWorker,
  type Worker,
  type WorkerOptions,
} from '../src/worker/index.ts';

/** A call that the platform got. */
interface Seen {
  /** The operation: job-take, job-stop, job-done, job-stream, ping. */
  call: string;
  query: string;
  headers: NodeJS.Dict<string | string[]>;
  body: string;
}

/** Answers a call itself and returns true, or leaves it to the well-behaved platform. */
type Script = (call: string, response: ServerResponse) => boolean;

/** The worker, and what its platform saw of it. */
interface Setup {
  worker: Worker;
  seen: Seen[];
  /** Bodies posted to job-done, parsed. */
  posts(): Record<string, unknown>[];
  /** Bodies posted to job-stream, parsed. */
  chunks(): Record<string, unknown>[];
  count(call: string): number;
  /** From now on a poll that was left by its caller can still be answered, as if it had been a moment before. */
  answerLeftPolls(): void;
}

const closers: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

/** A platform whose replies `script` gives; what it leaves is held (takes and stops) or accepted (the rest). */
export async function setUp(
  script: Script,
  handler: Handler<unknown, unknown> | StreamingHandler<unknown, unknown>,
  options: Partial<WorkerOptions<unknown, unknown>> = {},
  environment: Record<string, string | undefined> = {},
): Promise<Setup> {
  const seen: Seen[] = [];
  const server = createServer(async (request, response) => {
    const { pathname, search } = new URL(request.url ?? '', 'http://platform');
    const call = pathname.split('/')[3] ?? '';
    seen.push({ call, query: search, headers: request.headers, body: await text(request) });
    if (script(call, response) || call === 'job-take' || call === 'job-stop') return;
    reply(response, 200, {});
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const bodiesOf = (wanted: string) =>
    seen.filter(({ call }) => call === wanted).map(({ body }) => JSON.parse(body));
  const platform = platformEnvironment({
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    endpointId: 'ep',
    apiKey: 'rpa_KEY',
    workerId: 'worker-1',
    pingIntervalMs: 100,
  });
  const settings = settingsFrom({ ...platform, ...environment });
  // Random 0 halves every backoff.
  const worker = startWorker({ settings, handler, random: () => 0, abortGraceMs: 100, ...options });
  closers.push(
    async () => {
      server.closeAllConnections();
      server.close();
    },
    // A worker that was not fit rejects here too, which its test has seen already.
    () => Promise.allSettled([worker.shutdown({ deadlineMs: 0 })]),
  );
  return {
    worker,
    seen,
    posts: () => bodiesOf('job-done'),
    chunks: () => bodiesOf('job-stream'),
    // A property of node's servers without a type: they keep their side of a connection open when the caller closes its own.
    answerLeftPolls: () => void Object.assign(server, { httpAllowHalfOpen: true }),
    count: (wanted) => seen.filter(({ call }) => call === wanted).length,
  };
}

/** `check` until it passes; generous, because the machine may be busy. */
export function eventually<T>(check: () => Promise<T> | T): Promise<T> {
  return vi.waitFor(check, { timeout: 40_000, interval: 10 });
}

/** Ends the call with `body` as JSON. */
export function reply(response: ServerResponse, status: number, body?: unknown): true {
  if (body === undefined) response.writeHead(status).end();
  else response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
  return true;
}

/** Hands out the jobs one after the other, then holds. */
export function jobs(...list: unknown[]): Script {
  return (call, response) => call === 'job-take' && list.length > 0 && reply(response, 200, list.shift());
}

/** A promise and what settles it. */
export function gate<T = void>(): { passed: Promise<T>; open: (value: T) => void } {
  let open: (value: T) => void = () => {};
  const passed = new Promise<T>((resolve) => {
    open = resolve;
  });
  return { passed, open };
}

/** Resolves when `signal` aborts. */
export function whenAborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
}
