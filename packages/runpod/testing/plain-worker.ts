/** A worker of a few lines that speaks the protocol and retries as any sensible one does: the other end for fault scripts. */
import { type Clock, pause } from '../src/clock.ts';

/** How the worker reaches the platform, and what it makes of an input. */
export interface PlainWorkerOptions {
  workerId: string;
  /** `http://…/v2/{endpoint}`. */
  endpointUrl: string;
  apiKey: string;
  fetch: typeof fetch;
  clock: Clock;
  /** How long a job takes, in milliseconds. */
  jobMs: number;
  /** Ends the worker at once, wherever it stands. */
  signal: AbortSignal;
  compute(input: unknown): unknown;
}

const POLL_TIMEOUT_MS = 30_000;
const POST_TIMEOUT_MS = 3_000;
const PING_INTERVAL_MS = 1_000;
const RETRY_MS = 500;
const POST_ATTEMPTS = 10;

/** Takes, pings and stops until `signal` aborts. */
export async function servePlainly(options: PlainWorkerOptions): Promise<void> {
  const { workerId, clock, signal } = options;
  const running = new Map<string, AbortController>();

  /** Undefined for anything but a whole reply in time. */
  async function call(path: string, timeoutMs: number, body?: object): Promise<Reply | undefined> {
    const cut = new AbortController();
    const cancelTimeout = clock.after(timeoutMs, () => cut.abort());
    try {
      const response = await options.fetch(`${options.endpointUrl}${path}`, {
        method: body === undefined ? 'GET' : 'POST',
        headers: { authorization: options.apiKey },
        signal: AbortSignal.any([signal, cut.signal]),
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
      const text = await response.text();
      return { status: response.status, body: text === '' ? undefined : JSON.parse(text) };
    } catch {
      // Cut, dropped or refused: each is tried again by the loops.
      return undefined;
    } finally {
      cancelTimeout();
    }
  }

  async function run({ id, input }: { id: string; input: unknown }): Promise<void> {
    const stopped = new AbortController();
    running.set(id, stopped);
    const either = AbortSignal.any([signal, stopped.signal]);
    await call(`/job-done/${workerId}/${id}?isStream=false`, POST_TIMEOUT_MS, {
      status: 'IN_PROGRESS',
      output: 'half-way',
    });
    await pause(clock, options.jobMs, either);
    const result = { output: options.compute(input) };
    for (let attempt = 0; attempt < POST_ATTEMPTS && !either.aborted; attempt += 1) {
      const reply = await call(`/job-done/${workerId}/${id}?isStream=false`, POST_TIMEOUT_MS, result);
      if (reply && reply.status < 429) break;
      await pause(clock, RETRY_MS, either);
    }
    running.delete(id);
  }

  async function takeJobs(): Promise<void> {
    while (!signal.aborted) {
      const reply = await call(`/job-take/${workerId}?job_in_progress=0`, POLL_TIMEOUT_MS);
      if (reply?.status === 200) await run(reply.body as { id: string; input: unknown });
      else if (reply?.status !== 204) await pause(clock, RETRY_MS, signal);
    }
  }

  async function takeStops(): Promise<void> {
    while (!signal.aborted) {
      const reply = await call(`/job-stop/${workerId}`, POLL_TIMEOUT_MS);
      for (const id of (reply?.body as { jobsToStop?: string[] } | undefined)?.jobsToStop ?? []) {
        running.get(id)?.abort();
      }
      if (!reply?.body) await pause(clock, RETRY_MS, signal);
    }
  }

  async function ping(): Promise<void> {
    while (!signal.aborted) {
      const jobIds = [...running.keys()].join(',');
      void call(`/ping/${workerId}${jobIds === '' ? '' : `?job_id=${jobIds}`}`, POST_TIMEOUT_MS);
      await pause(clock, PING_INTERVAL_MS, signal);
    }
  }

  await Promise.all([takeJobs(), takeStops(), ping()]);
}

interface Reply {
  status: number;
  body: unknown;
}
