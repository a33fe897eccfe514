/** RunPod's limits on calls of one endpoint: how many may begin in ten seconds, and how many may be open at a time. */
import type { Clock } from '../clock.ts';
import { RefusedRequest } from './http-server.ts';

/** Limits of one operation; what is left out is unlimited. */
export interface RateLimit {
  perTenSeconds?: number | undefined;
  concurrent?: number | undefined;
}

/**
 * The numbers of RunPod's documentation, by operation (the path after the endpoint's id). On RunPod they grow with the
 * running workers by an allowance that is not documented: here they stand as they are. `retry` and `health` have none.
 */
export const RUNPOD_RATE_LIMITS: Readonly<Record<string, RateLimit>> = {
  run: { perTenSeconds: 1_000, concurrent: 200 },
  runsync: { perTenSeconds: 2_000, concurrent: 400 },
  status: { perTenSeconds: 2_000, concurrent: 400 },
  'status-sync': { perTenSeconds: 2_000, concurrent: 400 },
  stream: { perTenSeconds: 2_000, concurrent: 400 },
  cancel: { perTenSeconds: 100, concurrent: 20 },
  'purge-queue': { perTenSeconds: 2 },
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

/** @param limits by operation; others are not counted */
export function createRateLimiter(limits: Readonly<Record<string, RateLimit>>, clock: Clock): RateLimiter {
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
      const { perTenSeconds = Infinity, concurrent = Infinity } = counter.limit;
      const nowMs = clock.now();
      const firstKept = counter.begunAtMs.findIndex((begunAtMs) => nowMs - begunAtMs < WINDOW_MS);
      counter.begunAtMs.splice(0, firstKept < 0 ? counter.begunAtMs.length : firstKept);
      if (counter.begunAtMs.length >= perTenSeconds) {
        throw new RefusedRequest(429, `/${operation} may be called ${perTenSeconds} times in ten seconds.`);
      }
      if (counter.open >= concurrent) {
        throw new RefusedRequest(429, `/${operation} may have ${concurrent} calls open at a time.`);
      }
      counter.begunAtMs.push(nowMs);
      counter.open += 1;
      return () => {
        counter.open -= 1;
      };
    },
  };
}
