/** The endpoint API for whoever submits jobs: run and runSync, what became of a job, and the queue as a whole. */
import { type Clock, systemClock } from '../clock.ts';
import { RunpodError } from '../errors.ts';
import { type EndpointHealth, isTerminalStatus, type JobEnvelope } from '../job-status.ts';
import { type Logger, silentLogger } from '../logger.ts';
import type {
  CallOptions,
  PollOptions,
  RunOptions,
  RunSyncOptions,
  StatusSyncOptions,
} from './call-options.ts';
import { waitForEnd } from './job-end.ts';
import { type ApiRequest, type RequestContext, requestJson } from './request.ts';
import { readEnvelope, readHealth, readRemovedCount } from './response.ts';
import { streamChunks } from './stream.ts';
import { encodeSubmission, waitQuery } from './submission.ts';

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

/**
 * Calls of one endpoint. Each throws RunpodError.
 *
 * What reads or may be done twice (status, statusSync, waitForEnd, cancel, purgeQueue, health) is repeated after any
 * transient failure: no reply, 408, 425, 429, 5xx, with Retry-After honoured. What must not be done twice (run, runSync,
 * retry, a poll of stream) is repeated only when the server surely has not acted: the connection was refused, or the
 * reply was 429.
 */
export interface RunpodClient {
  /**
   * Queues a job. Not repeated after a lost reply, which must not make a second job.
   *
   * @throws RunpodError `payload_too_large` and `option_invalid` before anything is sent
   */
  run(input: unknown, options?: RunOptions): Promise<JobEnvelope>;
  /**
   * Queues a job and waits for its end; the status says whether it ended within the wait. With `untilEnd` it always has.
   *
   * @throws RunpodError `payload_too_large` and `option_invalid` before anything is sent
   */
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
   * The job's envelope at its end, whichever end that is, however long it takes: by statusSync, or by polling status
   * where the server does not serve that.
   *
   * @throws RunpodError `not_found` when the job is unknown or no longer kept
   */
  waitForEnd<Output = unknown>(jobId: string, options?: PollOptions): Promise<JobEnvelope<Output>>;
  /**
   * What a streaming handler yields, in order, until the job has COMPLETED. The server hands each chunk out once, so a
   * job should have one reader, and a poll whose reply was lost ends the stream with its error instead of with a gap
   * that nobody sees; a new stream goes on behind the gap.
   *
   * @throws RunpodError `job_failed` after the last chunk when the job ended otherwise, `not_found`
   */
  stream<Chunk = unknown>(jobId: string, options?: PollOptions): AsyncGenerator<Chunk, void, undefined>;
  /** Withdraws a job, queued or running. */
  cancel(jobId: string, options?: CallOptions): Promise<JobEnvelope>;
  /**
   * Queues a job again that ended FAILED or TIMED_OUT: same id, old output and error removed. Not repeated after a lost
   * reply (the job may have failed a second time meanwhile): ask `status` what came of it.
   *
   * @throws RunpodError `bad_request` in any other state, `not_found` when the job is no longer kept
   */
  retry(jobId: string, options?: CallOptions): Promise<JobEnvelope>;
  /**
   * Removes every job that waits in the queue; running jobs go on. Resolves with how many the answered call removed:
   * after a lost reply those of the first attempt are not among them.
   */
  purgeQueue(options?: CallOptions): Promise<number>;
  health(options?: CallOptions): Promise<EndpointHealth>;
}

const DEFAULT_TIMEOUT_MS = 30_000;
const DEFAULT_WAIT_MS = 90_000;
const DEFAULT_STREAM_POLL_INTERVAL_MS = 500;
const DEFAULT_END_POLL_INTERVAL_MS = 1_000;

/** @throws RunpodError `option_invalid` for an empty endpoint id or key, or a base URL that is none */
export function createRunpodClient(options: RunpodClientOptions): RunpodClient {
  const timeoutMs = options.timeoutMs ?? DEFAULT_TIMEOUT_MS;
  const context = contextOf(options);

  async function submit<Output>(operation: 'run' | 'runsync', input: unknown, call: RunSyncOptions) {
    const isSync = operation === 'runsync';
    const request: ApiRequest = {
      method: 'POST',
      path: `/${operation}${isSync ? waitQuery(operation, call.waitMs) : ''}`,
      body: encodeSubmission(operation, input, call),
      repeatable: false,
      timeoutMs: timeoutMs + (isSync ? (call.waitMs ?? DEFAULT_WAIT_MS) : 0),
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

  async function statusSync<Output>(
    jobId: string,
    call: StatusSyncOptions = {},
  ): Promise<JobEnvelope<Output>> {
    const path = `/status-sync/${encodeURIComponent(jobId)}${waitQuery('status-sync', call.waitMs)}`;
    return readEnvelope(await repeatable('GET', path, call, call.waitMs ?? DEFAULT_WAIT_MS));
  }

  function waitForEndOf<Output>(jobId: string, call: PollOptions = {}): Promise<JobEnvelope<Output>> {
    return waitForEnd({
      jobId,
      statusSync: () => statusSync<Output>(jobId, { signal: call.signal }),
      status: () => status<Output>(jobId, call),
      pollIntervalMs: call.pollIntervalMs ?? DEFAULT_END_POLL_INTERVAL_MS,
      clock: context.clock,
      signal: call.signal,
    });
  }

  return {
    run: (input, call = {}) => submit('run', input, call),
    async runSync<Output>(input: unknown, call: RunSyncOptions = {}) {
      const envelope = await submit<Output>('runsync', input, call);
      if (!call.untilEnd || isTerminalStatus(envelope.status)) return envelope;
      return waitForEndOf<Output>(envelope.id, { signal: call.signal });
    },
    status,
    statusSync,
    waitForEnd: waitForEndOf,
    stream: (jobId, call = {}) =>
      streamChunks({
        poll: () => once('GET', `/stream/${encodeURIComponent(jobId)}`, call),
        status: () => status(jobId, call),
        pollIntervalMs: call.pollIntervalMs ?? DEFAULT_STREAM_POLL_INTERVAL_MS,
        clock: context.clock,
        signal: call.signal,
      }),
    cancel: async (jobId, call = {}) =>
      readEnvelope(await repeatable('POST', `/cancel/${encodeURIComponent(jobId)}`, call)),
    retry: async (jobId, call = {}) =>
      readEnvelope(await once('POST', `/retry/${encodeURIComponent(jobId)}`, call)),
    purgeQueue: async (call = {}) => readRemovedCount(await repeatable('POST', '/purge-queue', call)),
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
