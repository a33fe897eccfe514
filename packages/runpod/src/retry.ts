/** When an HTTP call may be made again, and how long to wait before it. */

/** Delays grow from `baseMs` to `maxMs`; `random` gives numbers in [0, 1). */
export interface BackoffOptions {
  baseMs: number;
  maxMs: number;
  random: () => number;
}

/**
 * Exponential backoff with equal jitter: between half and the whole of min(maxMs, baseMs · 2^attempt), so that many
 * workers cut off together do not come back together.
 *
 * @param attempt 0 for the wait after the first failure
 */
export function backoffMs(attempt: number, options: BackoffOptions): number {
  const ceilingMs = Math.min(options.maxMs, options.baseMs * 2 ** Math.min(attempt, 30));
  return ceilingMs / 2 + (ceilingMs / 2) * options.random();
}

/** True for replies that say "not now" (408, 425, 429, any 5xx) and nothing about the request itself. */
export function isTransientStatus(status: number): boolean {
  return status === 408 || status === 425 || status === 429 || status >= 500;
}

/** A Retry-After header in milliseconds (seconds or an HTTP date, RFC 9110 §10.2.3); undefined when absent or unreadable. */
export function retryAfterMs(header: string | null | undefined, nowMs: number): number | undefined {
  const value = header?.trim();
  if (!value) return undefined;
  if (/^\d+$/.test(value)) return Number(value) * 1000;
  const dateMs = Date.parse(value);
  return Number.isNaN(dateMs) ? undefined : Math.max(0, dateMs - nowMs);
}
