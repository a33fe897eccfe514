/** Hears from the platform which jobs to stop, for as long as the worker has or may get any. */
import type { Clock } from '../clock.ts';
import type { Logger } from '../logger.ts';
import type { PlatformApi } from './platform-api.ts';
import { createPollPace, rest } from './poll-pace.ts';

/** Least time between two polls that bring nothing. */
const EMPTY_FLOOR_MS = 1_000;

/** Calls `stop` with each job to stop, known here or not; resolves when `signal` aborts, at once without a stop channel. */
export async function takeStops(options: {
  api: PlatformApi;
  stop(jobId: string): void;
  signal: AbortSignal;
  clock: Clock;
  random: () => number;
  logger: Logger;
}): Promise<void> {
  const { api, stop, signal, clock, logger } = options;
  if (!api.hasStopChannel) {
    logger.warn({}, 'Jobs cannot be stopped: RUNPOD_WEBHOOK_GET_JOB does not contain /job-take/.');
    return;
  }
  const pace = createPollPace(options.random);
  while (!signal.aborted) {
    const askedAtMs = clock.now();
    const reply = await api.takeStops(signal);
    const jobIds = reply.kind === 'value' ? readStops(reply.value) : [];
    for (const jobId of jobIds) stop(jobId);
    const elapsedMs = clock.now() - askedAtMs;
    const floorMs = jobIds.length === 0 && elapsedMs < EMPTY_FLOOR_MS ? EMPTY_FLOOR_MS : 0;
    await rest(reply, Math.max(floorMs, pace.delayAfter(reply, elapsedMs)), { signal, clock, logger });
  }
}

/** Ids of `{jobsToStop: [id, …]}`; anything else is none. */
function readStops(value: unknown): string[] {
  const ids = (value as { jobsToStop?: unknown } | null)?.jobsToStop;
  return Array.isArray(ids) ? ids.filter((id) => typeof id === 'string') : [];
}
