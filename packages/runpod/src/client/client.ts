/** The endpoint API for whoever submits jobs: run, runSync, status, cancel, health. */
import { type Clock, systemClock } from '../clock.ts';
import { RunpodError } from '../errors.ts';
import type { EndpointHealth, JobEnvelope, JobPolicy } from '../job-status.ts';
import { type Logger, silentLogger } from '../logger.ts';
import { type ApiRequest, type RequestContext, requestJson } from './request.ts';
import { readEnvelope, readHealth } from './response.ts';

/** RunPod's own API. */
export const RUNPOD_BASE_URL = 'https://api.runpod.ai/v2';

/** How to reach one endpoint. */
export interface RunpodClientOptions {
  /** API root; default `https://api.runpod.ai/v2` (the vendor's variable is RUNPOD_ENDPOINT_BASE_URL). */
  baseUrl?: string | undefined;
  endpointId: string;
  /** Sent as a bearer token. */
  apiKey: string;
  /** Default: the global `fetch`. */
  fetch?: typeof fetch | undefined;
  /** Limit for one attempt in milliseconds; default 30 000. runSync adds its wait. */
  timeoutMs?: number | undefined;
  /** Attempts of a call, the first counted; default 4. */
  maxAttempts?: number | undefined;
  /** First and longest wait between attempts in milliseconds; default 300 and 5 000. */
  backoff?: { baseMs: number; maxMs: number } | undefined;
  logger?: Logger | undefined;
  clock?: Clock | undefined;
  random?: (() => number) | undefined;
}

/** Stops waiting; the job itself goes on (see `cancel`). */
export interface CallOptions {
  signal?: AbortSignal | undefined;
}

/** What travels with a job. */
export interface RunOptions extends CallOptions {
  /** Called once with the envelope when the job has ended. RunPod signs nothing: put a token in the URL. */
  webhook?: string | undefined;
  policy?: JobPolicy | undefined;
}

/** runSync waits on the server. */
export interface RunSyncOptions extends RunOptions {
  /** Milliseconds that the server waits for the end, 1 000 to 300 000; default 90 000. */
  waitMs?: number | undefined;
}

/** Calls of one endpoint. Each throws RunpodError. */
export interface RunpodClient {
  /**
   * Queues a job. Repeated only when the server surely has not taken it (connection refused, 429): a lost reply
   * must not make a second job.
   */
  run(input: unknown, options?: RunOptions): Promise<JobEnvelope>;
  /** Queues a job and waits for its end; the status says whether it ended within the wait. Repeated as `run`. */
  runSync<Output = unknown>(input: unknown, options?: RunSyncOptions): Promise<JobEnvelope<Output>>;
  /** @throws RunpodError `not_found` when the job is unknown or no longer kept */
  status<Output = unknown>(jobId: string, options?: CallOptions): Promise<JobEnvelope<Output>>;
  /** Withdraws a job, queued or running. */
  cancel(jobId: string, options?: CallOptions): Promise<JobEnvelope>;
  health(options?: CallOptions): Promise<EndpointHealth>;
}

const DEFAULT_TIMEOUT_MS = 30_000;
const DEFAULT_WAIT_MS = 90_000;

/** @throws RunpodError `option_invalid` for an empty endpoint id or key, or a base URL that is none */
export function createRunpodClient(options: RunpodClientOptions): RunpodClient {
  const timeoutMs = options.timeoutMs ?? DEFAULT_TIMEOUT_MS;
  const context = contextOf(options);

  async function submit<Output>(path: string, input: unknown, call: RunOptions, limitMs: number) {
    const body = { input, ...present({ webhook: call.webhook, policy: present(call.policy) }) };
    const request: ApiRequest = {
      method: 'POST',
      path,
      body,
      repeatable: false,
      timeoutMs: limitMs,
      signal: call.signal,
    };
    return readEnvelope<Output>(await requestJson(context, request));
  }

  function repeatable(method: 'GET' | 'POST', path: string, call: CallOptions): Promise<unknown> {
    return requestJson(context, { method, path, repeatable: true, timeoutMs, signal: call.signal });
  }

  return {
    run: (input, call = {}) => submit('/run', input, call, timeoutMs),
    runSync: (input, call = {}) => {
      const wait = call.waitMs === undefined ? '' : `?wait=${call.waitMs}`;
      return submit(`/runsync${wait}`, input, call, timeoutMs + (call.waitMs ?? DEFAULT_WAIT_MS));
    },
    status: async (jobId, call = {}) =>
      readEnvelope(await repeatable('GET', `/status/${encodeURIComponent(jobId)}`, call)),
    cancel: async (jobId, call = {}) =>
      readEnvelope(await repeatable('POST', `/cancel/${encodeURIComponent(jobId)}`, call)),
    health: async (call = {}) => readHealth(await repeatable('GET', '/health', call)),
  };
}

function contextOf(options: RunpodClientOptions): RequestContext {
  const baseUrl = options.baseUrl ?? RUNPOD_BASE_URL;
  if (!URL.canParse(baseUrl)) throw invalid('baseUrl', 'an absolute URL', JSON.stringify(baseUrl));
  if (options.endpointId === '') throw invalid('endpointId', 'an endpoint id', 'empty');
  if (options.apiKey === '') throw invalid('apiKey', 'an API key', 'empty');
  return {
    endpointUrl: `${baseUrl.replace(/\/+$/, '')}/${encodeURIComponent(options.endpointId)}`,
    apiKey: options.apiKey,
    fetch: options.fetch ?? fetch,
    clock: options.clock ?? systemClock,
    logger: options.logger ?? silentLogger,
    maxAttempts: options.maxAttempts ?? 4,
    backoff: {
      ...(options.backoff ?? { baseMs: 300, maxMs: 5_000 }),
      random: options.random ?? Math.random,
    },
  };
}

function invalid(name: string, expected: string, found: string): RunpodError {
  return new RunpodError(
    'option_invalid',
    `createRunpodClient: ${name} should be ${expected}, but is ${found}.`,
  );
}

/** The entries that have a value; undefined when there are none. */
function present<T extends object>(fields: T | undefined): Partial<T> | undefined {
  const entries = Object.entries(fields ?? {}).filter(([, value]) => value !== undefined);
  return entries.length === 0 ? undefined : (Object.fromEntries(entries) as Partial<T>);
}
