/** Tells the platform, from a thread of its own, that this worker lives and which jobs it has. */
import { Worker as Thread } from 'node:worker_threads';
import type { Clock } from '../clock.ts';
import { describeError } from '../errors.ts';
import type { Logger } from '../logger.ts';
import { SDK_VERSION } from '../version.ts';
import {
  HEARTBEAT_THREAD_SOURCE,
  type HeartbeatJobs,
  type HeartbeatReport,
  type HeartbeatThreadData,
} from './heartbeat-thread.ts';
import { userAgent } from './platform-api.ts';
import type { WorkerSettings } from './settings.ts';

/** A running heartbeat. */
export interface Heartbeat {
  /** From the next ping on, these jobs are named. */
  setJobs(jobIds: string[]): void;
  close(): Promise<void>;
}

/** Pings every `settings.pingIntervalMs`, however long a handler blocks the main thread; silent without a ping URL. */
export function startHeartbeat(settings: WorkerSettings, logger: Logger, clock: Clock): Heartbeat {
  const { pingUrl } = settings;
  if (pingUrl === undefined) {
    logger.info(
      {},
      'No heartbeat is sent: RUNPOD_WEBHOOK_PING, RUNPOD_POD_ID or RUNPOD_AI_API_KEY is not set.',
    );
    return { setJobs: () => {}, close: async () => {} };
  }
  const data: HeartbeatThreadData = {
    pingUrl: pingUrl.replaceAll('$RUNPOD_POD_ID', () => encodeURIComponent(settings.workerId)),
    intervalMs: settings.pingIntervalMs,
    headers: {
      'user-agent': userAgent(settings.userAgentSuffix),
      ...(settings.apiKey === undefined ? {} : { authorization: settings.apiKey }),
    },
    version: `firepod-runpod/${SDK_VERSION}`,
  };
  let jobIds: string[] = [];
  let isClosed = false;
  let thread = start();
  let cancelRestart: (() => void) | undefined;

  function start(): Thread {
    const started = new Thread(HEARTBEAT_THREAD_SOURCE, { eval: true, workerData: data });
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
      cancelRestart?.();
      await thread.terminate();
    },
  };
}
