/** Waits for a job's end: on the server where it waits, by polling where it does not. */
import { type Clock, pause } from '../clock.ts';
import { RunpodError } from '../errors.ts';
import { isTerminalStatus, type JobEnvelope } from '../job-status.ts';

/** One job's end. */
interface EndSource<Output> {
  jobId: string;
  /** One GET of /status-sync. */
  statusSync(): Promise<JobEnvelope<Output>>;
  /** One GET of /status. */
  status(): Promise<JobEnvelope<Output>>;
  pollIntervalMs: number;
  clock: Clock;
  signal: AbortSignal | undefined;
}

/**
 * Resolves with the envelope of the end, whichever it is. RunPod's current documentation no longer lists /status-sync:
 * where that is refused and /status knows the job, /status is polled.
 *
 * @throws RunpodError `not_found` when the job is unknown or no longer kept, `aborted`, and whatever a call throws
 */
export async function waitForEnd<Output>(source: EndSource<Output>): Promise<JobEnvelope<Output>> {
  const { clock, pollIntervalMs, signal } = source;
  for (let isSyncServed = true; ; ) {
    const askedAtMs = clock.now();
    const envelope = isSyncServed ? await statusSyncIfServed(source) : await source.status();
    if (envelope && isTerminalStatus(envelope.status)) return envelope;
    if (envelope === undefined) isSyncServed = false;
    // A server that answers at once and does not wait must not be asked in a busy loop.
    const restMs = envelope === undefined ? 0 : pollIntervalMs - (clock.now() - askedAtMs);
    if (restMs > 0) await pause(clock, restMs, signal);
    if (signal?.aborted) {
      const message = `The caller stopped waiting for the end of job ${source.jobId}.`;
      throw new RunpodError('aborted', message, { cause: signal.reason });
    }
  }
}

/** Undefined when the server has no such call: /status tells that from a job that it does not know. */
async function statusSyncIfServed<Output>(
  source: EndSource<Output>,
): Promise<JobEnvelope<Output> | undefined> {
  try {
    return await source.statusSync();
  } catch (thrown) {
    const isRefused =
      thrown instanceof RunpodError && (thrown.code === 'not_found' || thrown.code === 'bad_request');
    if (isRefused) return undefined;
    throw thrown;
  }
}
