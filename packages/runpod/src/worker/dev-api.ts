/** `--rp_serve_api`: a local RunPod and this process's worker behind one port, for trying a handler over HTTP. */
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { describeError, RunpodError } from '../errors.ts';
import type { Logger } from '../logger.ts';
import { settingsFrom } from './settings.ts';
import { startWorker, type Worker, type WorkerOptions } from './worker.ts';

/** What is served and where. */
export interface DevApiOptions<Input, Output> {
  host: string;
  /** 0: any free one. */
  port: number;
  /** How many jobs run at a time. */
  concurrency: number;
  worker: Omit<WorkerOptions<Input, Output>, 'settings'>;
  logger: Logger;
}

/** A served worker. */
export interface DevApi extends Worker {
  readonly port: number;
}

/** Calls that production answers to GET; RunPod's Python SDK serves them as POST, so both verbs are taken here. */
const READS = new Set(['status', 'stream', 'health', 'status-sync']);
const CALLS = new Set([...READS, 'run', 'runsync', 'cancel', 'retry', 'purge-queue']);
const ENDPOINT_ID = 'local';

/**
 * Serves `/run`, `/runsync`, `/status/{id}`, `/stream/{id}`, `/cancel/{id}`, `/retry/{id}`, `/purge-queue` and `/health`,
 * also below `/v2/{any endpoint}` as clients call them, with any key or none. Jobs run in the background, by the same
 * worker and queue as ever, so that states, limits, envelopes and webhooks are production's.
 *
 * @throws RunpodError `port_unavailable`
 */
export async function serveDevApi<Input, Output>(options: DevApiOptions<Input, Output>): Promise<DevApi> {
  const { host, concurrency, logger } = options;
  // Only here: a deployed worker has no use for it.
  const { startLocalRunpod } = await import('../local/index.ts');
  const apiKey = randomUUID();
  const local = await startLocalRunpod({ endpointId: ENDPOINT_ID, apiKey, rateLimits: false, logger });
  const front = createServer((request, response) => {
    forward(request, response, `${local.baseUrl}/${ENDPOINT_ID}`, apiKey).catch((error) => {
      logger.warn({}, `A request was cut: ${describeError(error)}.`);
      response.destroy();
    });
  });
  front.listen(options.port, host);
  try {
    await once(front, 'listening');
  } catch (cause) {
    await local.close();
    const message = `The development API cannot listen on ${host}:${options.port}: ${describeError(cause)}.`;
    throw new RunpodError('port_unavailable', message, { cause });
  }
  const { port } = front.address() as AddressInfo;
  const worker = startWorker({
    ...options.worker,
    settings: settingsFrom(local.workerEnvironment()),
    logger,
    concurrencyModifier: () => concurrency,
  });
  logger.info({ port }, `The development API is at http://${host}:${port}.`);
  async function close(): Promise<void> {
    front.close();
    front.closeAllConnections();
    await local.close();
  }
  return { port, stopped: worker.stopped.finally(close), shutdown: worker.shutdown };
}

/** Passes the call on as production takes it. */
async function forward(
  request: IncomingMessage,
  response: ServerResponse,
  endpointUrl: string,
  apiKey: string,
): Promise<void> {
  const { pathname, search } = new URL(request.url ?? '/', 'http://dev');
  const path = pathname.replace(/^\/v2\/[^/]+/, '').replace(/\/+$/, '');
  const call = path.split('/')[1] ?? '';
  if (!CALLS.has(call)) {
    const calls = [...CALLS].map((name) => `/${name}`);
    response.writeHead(path === '' ? 200 : 404, { 'content-type': 'application/json' });
    response.end(JSON.stringify({ calls }));
    return;
  }
  const method = READS.has(call) ? 'GET' : (request.method ?? 'POST');
  const gone = new AbortController();
  response.once('close', () => gone.abort());
  const reply = await fetch(`${endpointUrl}${path}${search}`, {
    method,
    headers: { authorization: apiKey, 'content-type': 'application/json' },
    signal: gone.signal,
    ...(method === 'GET' ? {} : { body: Readable.toWeb(request) as ReadableStream, duplex: 'half' as const }),
  });
  response.writeHead(reply.status, {
    'content-type': reply.headers.get('content-type') ?? 'application/json',
  });
  if (reply.body) await pipeline(Readable.fromWeb(reply.body as never), response);
  else response.end();
}
