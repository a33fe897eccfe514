/** The endpoint API for whoever submits jobs: run and runSync, what became of a job, and the queue as a whole. */
import { type Clock, systemClock } from '../clock.ts';
import { RunpodError } from '../errors.ts';
import type { EndpointHealth, JobEnvelope, JobPolicy } from '../job-status.ts';
import { type Logger, silentLogger } from '../logger.ts';
import { type ApiRequest, type RequestContext, requestJson } from './request.ts';
import { readEnvelope, readHealth, readRemovedCount } from './response.ts';
import { streamChunks } from './stream.ts';

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
  /** For the worker's use, as it stands in the job it takes: RunPod itself stores nothing there. */
  s3Config?: S3Config | undefined;
}

/** A bucket that speaks S3, where the worker may leave what it made. */
export interface S3Config {
  accessId: string;
  accessSecret: string;
  bucketName: string;
  /** Absolute URL of the S3 service. */
  endpointUrl: string;
  /** Folder in the bucket. */
  objectPath?: string | undefined;
}

/** runSync waits on the server. */
export interface RunSyncOptions extends RunOptions {
  /** Milliseconds that the server waits for the end, 1 000 to 300 000; default 90 000. */
  waitMs?: number | undefined;
}

/** statusSync waits on the server. */
export interface StatusSyncOptions extends CallOptions {
  /** Milliseconds that the server waits for the end, 1 000 to 90 000; default 90 000. */
  waitMs?: number | undefined;
}

/** How a stream is asked for. */
export interface StreamOptions extends CallOptions {
  /** Milliseconds between two polls; default 500. */
  pollIntervalMs?: number | undefined;
}

/**
 * Calls of one endpoint. Each throws RunpodError.
 *
 * What reads or may be done twice (status, statusSync, cancel, health) is repeated after any transient failure. What
 * must not be done twice (run, runSync, retry, purgeQueue, a poll of stream) is repeated only when the server surely has
 * not acted: the connection was refused, or the reply was 429.
 */
export interface RunpodClient {
  /** Queues a job. Not repeated after a lost reply, which must not make a second job. */
  run(input: unknown, options?: RunOptions): Promise<JobEnvelope>;
  /** Queues a job and waits for its end; the status says whether it ended within the wait. */
  runSync<Output = unknown>(input: unknown, options?: RunSyncOptions): Promise<JobEnvelope<Output>>;
  /** @throws RunpodError `not_found` when the job is unknown or no longer kept */
  status<Output = unknown>(jobId: string, options?: CallOptions): Promise<JobEnvelope<Output>>;
  /**
   * The job's envelope once it has ended, or as it is when the wait ends first. RunPod's current documentation no longer
   * lists this call; its JavaScript SDK makes it.
   *
   * @throws RunpodError `not_found` when the job is unknown or no longer kept
   */
  statusSync<Output = unknown>(jobId: string, options?: StatusSyncOptions): Promise<JobEnvelope<Output>>;
  /**
   * What a streaming handler yields, in order, until the job has COMPLETED. The server hands each chunk out once, so a
   * job should have one reader, and a poll whose reply was lost ends the stream with its error instead of with a gap
   * that nobody sees; a new stream goes on behind the gap.
   *
   * @throws RunpodError `job_failed` after the last chunk when the job ended otherwise, `not_found`
   */
  stream<Chunk = unknown>(jobId: string, options?: StreamOptions): AsyncGenerator<Chunk, void, undefined>;
  /** Withdraws a job, queued or running. */
  cancel(jobId: string, options?: CallOptions): Promise<JobEnvelope>;
  /**
   * Queues a job again that ended FAILED or TIMED_OUT: same id, old output and error removed. Not repeated after a lost
   * reply (the job may have failed a second time meanwhile): ask `status` what came of it.
   *
   * @throws RunpodError `bad_request` in any other state, `not_found` when the job is no longer kept
   */
  retry(jobId: string, options?: CallOptions): Promise<JobEnvelope>;
  /** Removes every job that waits in the queue; running jobs go on. Resolves with how many were removed. */
  purgeQueue(options?: CallOptions): Promise<number>;
  health(options?: CallOptions): Promise<EndpointHealth>;
}

const DEFAULT_TIMEOUT_MS = 30_000;
const DEFAULT_WAIT_MS = 90_000;
const DEFAULT_POLL_INTERVAL_MS = 500;

/** @throws RunpodError `option_invalid` for an empty endpoint id or key, or a base URL that is none */
export function createRunpodClient(options: RunpodClientOptions): RunpodClient {
  const timeoutMs = options.timeoutMs ?? DEFAULT_TIMEOUT_MS;
  const context = contextOf(options);

  async function submit<Output>(path: string, input: unknown, call: RunOptions, limitMs: number) {
    const body = {
      input,
      ...present({ webhook: call.webhook, policy: present(call.policy), s3Config: call.s3Config }),
    };
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

  function repeatable(method: 'GET' | 'POST', path: string, call: CallOptions, waitMs = 0): Promise<unknown> {
    const limitMs = timeoutMs + waitMs;
    return requestJson(context, { method, path, repeatable: true, timeoutMs: limitMs, signal: call.signal });
  }

  function once(method: 'GET' | 'POST', path: string, call: CallOptions): Promise<unknown> {
    return requestJson(context, { method, path, repeatable: false, timeoutMs, signal: call.signal });
  }

  async function status<Output>(jobId: string, call: CallOptions = {}): Promise<JobEnvelope<Output>> {
    return readEnvelope(await repeatable('GET', `/status/${encodeURIComponent(jobId)}`, call));
  }

  return {
    run: (input, call = {}) => submit('/run', input, call, timeoutMs),
    runSync: (input, call = {}) => {
      const wait = call.waitMs === undefined ? '' : `?wait=${call.waitMs}`;
      return submit(`/runsync${wait}`, input, call, timeoutMs + (call.waitMs ?? DEFAULT_WAIT_MS));
    },
    status,
    statusSync: async (jobId, call = {}) => {
      const wait = call.waitMs === undefined ? '' : `?wait=${call.waitMs}`;
      const path = `/status-sync/${encodeURIComponent(jobId)}${wait}`;
      return readEnvelope(await repeatable('GET', path, call, call.waitMs ?? DEFAULT_WAIT_MS));
    },
    stream: (jobId, call = {}) =>
      streamChunks({
        poll: () => once('GET', `/stream/${encodeURIComponent(jobId)}`, call),
        status: () => status(jobId, call),
        pollIntervalMs: call.pollIntervalMs ?? DEFAULT_POLL_INTERVAL_MS,
        clock: context.clock,
        signal: call.signal,
      }),
    cancel: async (jobId, call = {}) =>
      readEnvelope(await repeatable('POST', `/cancel/${encodeURIComponent(jobId)}`, call)),
    retry: async (jobId, call = {}) =>
      readEnvelope(await once('POST', `/retry/${encodeURIComponent(jobId)}`, call)),
    purgeQueue: async (call = {}) => readRemovedCount(await once('POST', '/purge-queue', call)),
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
