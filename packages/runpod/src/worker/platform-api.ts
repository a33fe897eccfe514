/** The worker's calls to the platform: long polls for jobs and stops, posts of progress and results. */
import { arch, platform, release } from 'node:os';
import { type Clock, pause } from '../clock.ts';
import { describeError } from '../errors.ts';
import { retryAfterMs } from '../retry.ts';
import { SDK_VERSION } from '../version.ts';
import type { HttpConnections, HttpReply } from './http-connections.ts';
import { createLongPoller } from './long-poll.ts';
import type { WorkerSettings } from './settings.ts';

/** What a long poll brought. */
export type PollReply =
  | { kind: 'value'; value: unknown }
  /** 204, an empty body, or 400, with which FlashBoot says "nothing for you". */
  | { kind: 'none' }
  | { kind: 'refused'; status: number; retryAfterMs: number | undefined }
  | { kind: 'failed'; reason: string }
  /** The caller's signal, before any reply. */
  | { kind: 'aborted' };

/** What became of a post. */
export type PostReply =
  | { kind: 'accepted' }
  | { kind: 'refused'; status: number; retryAfterMs: number | undefined }
  | { kind: 'failed'; reason: string };

/** Where a post goes, and how long it may take. */
export interface PostOptions {
  /** `result`: progress, or a result; `stream-result`: the result after a stream; `chunk`: one chunk of the stream. */
  as: 'result' | 'stream-result' | 'chunk';
  timeoutMs: number;
  signal: AbortSignal;
  /** The worker that had the job; default: this one. */
  workerId?: string | undefined;
}

/** One worker's door to the platform; nothing here throws. */
export interface PlatformApi {
  /**
   * Asks for up to `batchSize` jobs; 200 brings `{id, input, …}`, or an array of such. A job that the platform assigned
   * just before `signal` aborted still comes.
   */
  take(options: { hasJobs: boolean; batchSize: number; signal: AbortSignal }): Promise<PollReply>;
  /** Asks for jobs to stop; 200 brings `{jobsToStop: [id, …]}`. */
  takeStops(signal: AbortSignal): Promise<PollReply>;
  /** False when the take URL has not the form from which the stop channel's URL follows. */
  readonly hasStopChannel: boolean;
  /** Posts progress, a result or a stream's chunk, JSON as UTF-8. */
  post(jobId: string, body: Uint8Array, options: PostOptions): Promise<PostReply>;
  /** False without the stream's URL: then no chunk can be posted. */
  readonly hasStream: boolean;
}

/** runpod-python cuts its polls at the same time. */
const POLL_TIMEOUT_MS = 90_000;
/** A take that was left may bring a job for so long: the server hears of it within a round trip. */
const TAKE_LINGER_MS = 1_000;

/** @param connections are the caller's to close */
export function createPlatformApi(
  settings: WorkerSettings,
  connections: HttpConnections,
  clock: Clock,
): PlatformApi {
  const takeUrl = settings.takeUrl.replaceAll('$ID', () => encodeURIComponent(settings.workerId));
  const hasKnownForm = takeUrl.includes('/job-take/');
  const batchUrl = takeUrl.replace('/job-take/', '/job-take-batch/');
  const stopUrl = takeUrl.replace('/job-take/', '/job-stop/');
  const poller = createLongPoller(connections, clock);
  const sessionHeaders = {
    'content-type': 'application/json',
    'user-agent': userAgent(settings.userAgentSuffix),
    ...(settings.apiKey === undefined ? {} : { authorization: settings.apiKey }),
  };

  async function poll(url: string, signal: AbortSignal, lingerMs: number): Promise<PollReply> {
    try {
      const options = { headers: sessionHeaders, signal, holdMs: POLL_TIMEOUT_MS, lingerMs };
      const reply = await poller.poll(url, options);
      if (reply) return readPollReply(reply, clock);
      // Our own end of a poll that the server held too long is no failure.
      return signal.aborted ? { kind: 'aborted' } : { kind: 'none' };
    } catch (thrown) {
      return { kind: 'failed', reason: describeError(thrown) };
    }
  }

  return {
    hasStopChannel: hasKnownForm,
    take({ hasJobs, batchSize, signal }) {
      const query = `job_in_progress=${hasJobs ? 1 : 0}`;
      const url =
        batchSize > 1 && hasKnownForm
          ? withQuery(batchUrl, `batch_size=${batchSize}&${query}`)
          : withQuery(takeUrl, query);
      return poll(url, signal, TAKE_LINGER_MS);
    },
    takeStops: (signal) => poll(stopUrl, signal, 0),
    hasStream: settings.streamUrl !== undefined,
    async post(jobId, body, { as, timeoutMs, signal, workerId = settings.workerId }) {
      const template = as === 'chunk' ? settings.streamUrl : settings.resultUrl;
      if (template === undefined) return { kind: 'failed', reason: 'RUNPOD_WEBHOOK_POST_STREAM is not set' };
      const url = template
        .replaceAll('$RUNPOD_POD_ID', () => encodeURIComponent(workerId))
        .replaceAll('$ID', () => encodeURIComponent(jobId));
      // Only the result that ends a stream says so: the chunks themselves do not.
      const query = `isStream=${as === 'stream-result'}`;
      const attempt = new AbortController();
      const finished = new AbortController();
      const anySignal = AbortSignal.any([signal, attempt.signal]);
      void pause(clock, timeoutMs, finished.signal).then(() => attempt.abort());
      try {
        const { status, retryAfter } = await connections.send(withQuery(url, query), {
          method: 'POST',
          headers: {
            ...sessionHeaders,
            // The platform expects this type although the body is JSON.
            'content-type': 'application/x-www-form-urlencoded',
            charset: 'utf-8',
            'x-request-id': jobId,
          },
          body,
          signal: anySignal,
        });
        if (isSuccess(status)) return { kind: 'accepted' };
        return { kind: 'refused', status, retryAfterMs: retryAfterMs(retryAfter, clock.now()) };
      } catch (thrown) {
        return {
          kind: 'failed',
          reason: anySignal.aborted ? 'no answer in time' : describeError(thrown),
        };
      } finally {
        finished.abort();
      }
    },
  };
}

function readPollReply({ status, retryAfter, text }: HttpReply, clock: Clock): PollReply {
  if (status === 204 || status === 400) return { kind: 'none' };
  if (!isSuccess(status)) {
    return { kind: 'refused', status, retryAfterMs: retryAfterMs(retryAfter, clock.now()) };
  }
  if (text.trim() === '') return { kind: 'none' };
  try {
    return { kind: 'value', value: JSON.parse(text) };
  } catch {
    // Not quoted: it may be a job cut short, and a job's input is nothing for a log.
    return { kind: 'failed', reason: `the reply of ${text.length} characters is not JSON` };
  }
}

function isSuccess(status: number): boolean {
  return status >= 200 && status < 300;
}

/** Platform templates hold a query already and are only appended to, so that their own bytes stay as they are. */
function withQuery(url: string, query: string): string {
  return `${url}${url.includes('?') ? '&' : '?'}${query}`;
}

/** "firepod-runpod/0.1.0 (linux 6.1.0; x64) Language/Node 20.20.2", as RunPod's own SDKs name themselves. */
export function userAgent(suffix: string | undefined): string {
  const system = `${platform()} ${release()}; ${arch()}`;
  const name = `firepod-runpod/${SDK_VERSION} (${system}) Language/Node ${process.versions.node}`;
  return suffix ? `${name} Integration/${suffix}` : name;
}
