/** The heartbeat's thread as source text, so that it runs the same from sources, from dist and from a bundle. */

/** What the thread is started with. */
export interface HeartbeatThreadData {
  /** Undefined: no pings, the thread is a watchdog alone. */
  pingUrl: string | undefined;
  intervalMs: number;
  headers: Record<string, string>;
  version: string;
  watchdog: Watchdog | undefined;
}

/** How the thread notices that the main thread is stuck. */
export interface Watchdog {
  stuckAfterMs: number;
  /** One Int32 that the main thread adds to at least `BEATS_PER_LIMIT` times in `stuckAfterMs`. */
  beats: SharedArrayBuffer;
}

/** How often the main thread shows that it lives, and the watchdog looks, within the limit. */
export const BEATS_PER_LIMIT = 10;

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
const { pingUrl, intervalMs, headers, version, watchdog } = workerData;
let jobIds = [];
let lastFailure = null;
parentPort.on('message', (message) => { jobIds = message.jobIds; });
parentPort.unref();

function get(url, timeoutMs) {
  return new Promise((resolve, reject) => {
    const { get } = require(url.startsWith('https:') ? 'node:https' : 'node:http');
    const call = get(url, { headers, signal: AbortSignal.timeout(timeoutMs) }, (response) => {
      response.resume().once('end', () => resolve(response.statusCode)).once('error', reject);
    });
    call.once('error', reject);
  });
}

async function ping() {
  const query = new URLSearchParams();
  if (jobIds.length > 0) query.set('job_id', jobIds.join(','));
  query.set('runpod_version', version);
  let failure;
  try {
    const url = pingUrl + (pingUrl.includes('?') ? '&' : '?') + query;
    const status = await get(url, intervalMs * 2);
    if (status < 200 || status >= 300) failure = 'the platform answered ' + status;
  } catch (error) {
    failure = error.name === 'AbortError' ? 'no answer in time' : error.message || error.code;
  }
  if (failure !== lastFailure) parentPort.postMessage({ failure });
  lastFailure = failure;
}

async function replaceStuckWorker({ stuckAfterMs }) {
  const reason = 'The event loop was blocked for ' + stuckAfterMs + ' ms.';
  // The main thread cannot log; without a word the process would seem to have vanished.
  const line = { requestId: null, message: reason + ' Ending the process.', level: 'ERROR', jobIds };
  require('node:fs').writeSync(2, JSON.stringify(line) + '\\n');
  if (pingUrl) {
    const query = new URLSearchParams({ status: 'unhealthy', check: 'event_loop', reason, runpod_version: version });
    const url = pingUrl + (pingUrl.includes('?') ? '&' : '?') + query;
    await get(url, 2000).catch(() => {});
  }
  process.kill(process.pid, 'SIGKILL');
}

function watch({ stuckAfterMs, beats }) {
  const counter = new Int32Array(beats);
  let lastBeat = Atomics.load(counter, 0);
  let looksWithoutBeat = 0;
  const timer = setInterval(() => {
    const beat = Atomics.load(counter, 0);
    // Looks are counted, not time: a machine that was suspended has stopped this thread as well.
    looksWithoutBeat = beat === lastBeat ? looksWithoutBeat + 1 : 0;
    lastBeat = beat;
    if (looksWithoutBeat < ${BEATS_PER_LIMIT}) return;
    clearInterval(timer);
    replaceStuckWorker(watchdog);
  }, stuckAfterMs / ${BEATS_PER_LIMIT});
}

if (watchdog) watch(watchdog);
// Pings start on the interval's beat whether or not the last one has been answered: a slow reply must not look like a dead worker.
if (pingUrl) {
  setInterval(ping, intervalMs);
  ping();
}
`;
