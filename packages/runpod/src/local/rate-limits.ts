/** RunPod's limits on calls of one endpoint: how many may begin in ten seconds, and how many may be open at a time. */
import type { Clock } from '../clock.ts';
import { RefusedRequest } from './exchange.ts';

/** Limits of one operation; what is left out is unlimited. */
export interface RateLimit {
  perTenSeconds?: number | undefined;
  concurrent?: number | undefined;
  /** What each running worker allows: the limit in force is max(the number above, running workers × this). */
  perWorker?: { perTenSeconds?: number | undefined; concurrent?: number | undefined } | undefined;
  /** Sent as Retry-After with the 429; RunPod does not say whether it sends one, so the default is none. */
  retryAfterSeconds?: number | undefined;
}

/**
 * The numbers of RunPod's documentation, by operation (the path after the endpoint's id). On RunPod they grow with the
 * running workers by an allowance whose size is not documented: here it is 0 unless `perWorker` sets it. `retry` and
 * `health` have no limit, nor have the calls of workers.
 */
export const RUNPOD_RATE_LIMITS: Readonly<Record<string, RateLimit>> = {
  run: { perTenSeconds: 1_000, concurrent: 200 },
  runsync: { perTenSeconds: 2_000, concurrent: 400 },
  status: { perTenSeconds: 2_000, concurrent: 400 },
  'status-sync': { perTenSeconds: 2_000, concurrent: 400 },
  stream: { perTenSeconds: 2_000, concurrent: 400 },
  cancel: { perTenSeconds: 100, concurrent: 20 },
  'purge-queue': { perTenSeconds: 2 },
  requests: { perTenSeconds: 10, concurrent: 2 },
};

const WINDOW_MS = 10_000;

/** Counts the calls. */
export interface RateLimiter {
  /**
   * A call begins; the returned function says that it has ended.
   *
   * @throws RefusedRequest 429 when it is one too many; it does not count then
   */
  enter(operation: string): () => void;
}

/**
 * @param limits by operation; others are not counted
 * @param runningWorkers how many workers have a job now
 */
export function createRateLimiter(
  limits: Readonly<Record<string, RateLimit>>,
  clock: Clock,
  runningWorkers: () => number,
): RateLimiter {
  const counters = new Map(
    Object.entries(limits).map(([operation, limit]) => [
      operation,
      { limit, begunAtMs: [] as number[], open: 0 },
    ]),
  );
  return {
    enter(operation) {
      const counter = counters.get(operation);
      if (!counter) return () => {};
      const { limit } = counter;
      const workers = limit.perWorker ? runningWorkers() : 0;
      const perTenSeconds = inForce(limit.perTenSeconds, limit.perWorker?.perTenSeconds, workers);
      const concurrent = inForce(limit.concurrent, limit.perWorker?.concurrent, workers);
      const nowMs = clock.now();
      const firstKept = counter.begunAtMs.findIndex((begunAtMs) => nowMs - begunAtMs < WINDOW_MS);
      counter.begunAtMs.splice(0, firstKept < 0 ? counter.begunAtMs.length : firstKept);
      if (counter.begunAtMs.length >= perTenSeconds) {
        throw tooMany(`/${operation} may be called ${perTenSeconds} times in ten seconds.`, limit);
      }
      if (counter.open >= concurrent) {
        throw tooMany(`/${operation} may have ${concurrent} calls open at a time.`, limit);
      }
      counter.begunAtMs.push(nowMs);
      counter.open += 1;
      return () => {
        counter.open -= 1;
      };
    },
  };
}

/** RunPod's rule of the effective limit. */
function inForce(base: number | undefined, perWorker: number | undefined, runningWorkers: number): number {
  return base === undefined ? Number.POSITIVE_INFINITY : Math.max(base, runningWorkers * (perWorker ?? 0));
}

function tooMany(message: string, { retryAfterSeconds }: RateLimit): RefusedRequest {
  return new RefusedRequest(
    429,
    message,
    retryAfterSeconds === undefined ? {} : { 'retry-after': String(retryAfterSeconds) },
  );
}
