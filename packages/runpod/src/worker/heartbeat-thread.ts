/** The heartbeat's thread as source text, so that it runs the same from sources, from dist and from a bundle. */

/** What the thread is started with. */
export interface HeartbeatThreadData {
  pingUrl: string;
  intervalMs: number;
  headers: Record<string, string>;
  version: string;
}

/** Main thread → heartbeat: the jobs being worked on. */
export interface HeartbeatJobs {
  jobIds: string[];
}

/** Heartbeat → main thread: how a ping went, told only when that changes. */
export interface HeartbeatReport {
  /** Undefined when the ping was accepted. */
  failure: string | undefined;
}

/**
 * Plain JavaScript for `new Worker(source, {eval: true})`. It shares no code with the main thread: a path to a file of
 * ours would have another extension in sources and in dist, and none in a bundle. Keys and types are those above.
 */
export const HEARTBEAT_THREAD_SOURCE = `
const { parentPort, workerData } = require('node:worker_threads');
const { pingUrl, intervalMs, headers, version } = workerData;
let jobIds = [];
let lastFailure = null;
parentPort.on('message', (message) => { jobIds = message.jobIds; });
parentPort.unref();

async function ping() {
  const query = new URLSearchParams();
  if (jobIds.length > 0) query.set('job_id', jobIds.join(','));
  query.set('runpod_version', version);
  let failure;
  try {
    const url = pingUrl + (pingUrl.includes('?') ? '&' : '?') + query;
    const response = await fetch(url, { headers, signal: AbortSignal.timeout(intervalMs * 2) });
    await response.arrayBuffer();
    if (!response.ok) failure = 'the platform answered ' + response.status;
  } catch (error) {
    failure = error.cause ? error.message + ' (' + error.cause.message + ')' : error.message;
  }
  if (failure !== lastFailure) parentPort.postMessage({ failure });
  lastFailure = failure;
}

// Pings start on the interval's beat whether or not the last one has been answered: a slow reply must not look like a dead worker.
setInterval(ping, intervalMs);
ping();
`;
