/** Tells the platform, from a thread of its own, that this worker lives and which jobs it has. */
import { Worker as Thread } from 'node:worker_threads';
import type { Clock } from '../clock.ts';
import { describeError } from '../errors.ts';
import type { Logger } from '../logger.ts';
import { SDK_VERSION } from '../version.ts';
import {
  BEATS_PER_LIMIT,
  HEARTBEAT_THREAD_SOURCE,
  type HeartbeatJobs,
  type HeartbeatReport,
  type HeartbeatThreadData,
  type Watchdog,
} from './heartbeat-thread.ts';
import type { HttpConnections } from './http-connections.ts';
import { userAgent } from './platform-api.ts';
import type { WorkerSettings } from './settings.ts';

/** A running heartbeat. */
export interface Heartbeat {
  /** From the next ping on, these jobs are named. */
  setJobs(jobIds: string[]): void;
  close(): Promise<void>;
}

const PING_VERSION = `firepod-runpod/${SDK_VERSION}`;
/** The worker is about to end: it does not wait long for a platform that does not answer. */
const UNHEALTHY_TIMEOUT_MS = 2_000;
/** A ping needs little; without limits the thread's heap grows as if it had the whole machine. */
const THREAD_MEMORY = { maxOldGenerationSizeMb: 32, maxYoungGenerationSizeMb: 2 };
const MAX_REASON_CHARACTERS = 256;

/**
 * Pings every `settings.pingIntervalMs`, however long a handler blocks the main thread; silent without a ping URL.
 *
 * @param options.stuckAfterMs when the main thread has been blocked for so long, the process is ended
 */
export function startHeartbeat(
  settings: WorkerSettings,
  options: { logger: Logger; clock: Clock; stuckAfterMs?: number | undefined },
): Heartbeat {
  const { logger, clock, stuckAfterMs } = options;
  const { pingUrl } = settings;
  if (pingUrl === undefined) {
    logger.info(
      {},
      'No heartbeat is sent: RUNPOD_WEBHOOK_PING, RUNPOD_POD_ID or RUNPOD_AI_API_KEY is not set.',
    );
    if (stuckAfterMs === undefined) return { setJobs: () => {}, close: async () => {} };
  }
  const pulse = stuckAfterMs === undefined ? undefined : startPulse(stuckAfterMs);
  const data: HeartbeatThreadData = {
    pingUrl: pingUrl && ofThisWorker(pingUrl, settings),
    intervalMs: settings.pingIntervalMs,
    headers: pingHeaders(settings),
    version: PING_VERSION,
    watchdog: pulse?.watchdog,
  };
  let jobIds: string[] = [];
  let isClosed = false;
  let thread = start();
  let cancelRestart: (() => void) | undefined;

  function start(): Thread {
    const started = new Thread(HEARTBEAT_THREAD_SOURCE, {
      eval: true,
      workerData: data,
      resourceLimits: THREAD_MEMORY,
    });
    started.unref();
    started.on('message', ({ failure }: HeartbeatReport) => {
      if (failure === undefined) logger.debug({}, 'The heartbeat is accepted.');
      else logger.warn({}, `The heartbeat is not accepted: ${failure}.`);
    });
    started.on('error', (error) =>
      logger.error({}, `The heartbeat's thread failed: ${describeError(error)}.`),
    );
    started.on('exit', () => {
      if (!isClosed) cancelRestart = clock.after(settings.pingIntervalMs, restart);
    });
    return started;
  }

  function restart(): void {
    thread = start();
    thread.postMessage({ jobIds } satisfies HeartbeatJobs);
  }

  return {
    setJobs(ids) {
      jobIds = ids;
      thread.postMessage({ jobIds } satisfies HeartbeatJobs);
    },
    async close() {
      isClosed = true;
      pulse?.stop();
      cancelRestart?.();
      await thread.terminate();
    },
  };
}

/** Shows the watchdog that this thread's event loop turns. */
function startPulse(stuckAfterMs: number): { watchdog: Watchdog; stop(): void } {
  const beats = new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT);
  const counter = new Int32Array(beats);
  // Twice as often as the watchdog looks, so that a late timer is not a missed beat.
  const timer = setInterval(() => Atomics.add(counter, 0, 1), stuckAfterMs / BEATS_PER_LIMIT / 2).unref();
  return { watchdog: { stuckAfterMs, beats }, stop: () => clearInterval(timer) };
}

/** Tells the platform once that this worker is not fit and why; a ping that does not arrive is logged, nothing is thrown. */
export async function pingUnhealthy(
  settings: WorkerSettings,
  unfitness: { check: string; reason: string },
  options: { connections: HttpConnections; clock: Clock; logger: Logger },
): Promise<void> {
  if (settings.pingUrl === undefined) return;
  const url = ofThisWorker(settings.pingUrl, settings);
  const query = new URLSearchParams({
    status: 'unhealthy',
    check: unfitness.check,
    reason: unfitness.reason.slice(0, MAX_REASON_CHARACTERS),
    runpod_version: PING_VERSION,
  });
  const cut = new AbortController();
  const cancelTimeout = options.clock.after(UNHEALTHY_TIMEOUT_MS, () => cut.abort());
  try {
    const { status } = await options.connections.send(`${url}${url.includes('?') ? '&' : '?'}${query}`, {
      method: 'GET',
      headers: pingHeaders(settings),
      signal: cut.signal,
    });
    if (status < 200 || status >= 300) throw new Error(`the platform answered ${status}`);
  } catch (error) {
    options.logger.warn({}, `The platform could not be told of the failed check: ${describeError(error)}.`);
  } finally {
    cancelTimeout();
  }
}

function ofThisWorker(template: string, settings: WorkerSettings): string {
  return template.replaceAll('$RUNPOD_POD_ID', () => encodeURIComponent(settings.workerId));
}

function pingHeaders(settings: WorkerSettings): Record<string, string> {
  return {
    'user-agent': userAgent(settings.userAgentSuffix),
    ...(settings.apiKey === undefined ? {} : { authorization: settings.apiKey }),
  };
}
