/** Jobs as they are sent, refused here by name when RunPod would refuse them: sizes and bounds before a byte leaves. */
import { RunpodError } from '../errors.ts';
import { MAX_RUN_BYTES, MAX_RUNSYNC_BYTES } from '../payload-limits.ts';
import type { RunOptions } from './call-options.ts';

const DAY_MS = 86_400_000;
const MAX_BYTES = { run: MAX_RUN_BYTES, runsync: MAX_RUNSYNC_BYTES };
/** RunPod's bounds in milliseconds, both included. */
const WAIT_BOUNDS_MS = { runsync: [1_000, 300_000], 'status-sync': [1_000, 90_000] } as const;
const POLICY_BOUNDS_MS = { executionTimeout: [5_000, 7 * DAY_MS], ttl: [10_000, 7 * DAY_MS] } as const;

/**
 * The body of /run or /runsync.
 *
 * @throws RunpodError `payload_too_large` beyond 10 MB (/run) or 20 MB (/runsync), `option_invalid` for an input that is
 * no JSON or nothing, and for an option that RunPod would refuse
 */
export function encodeSubmission(operation: 'run' | 'runsync', input: unknown, options: RunOptions): string {
  const { webhook, policy, s3Config } = options;
  if (webhook !== undefined && !URL.canParse(webhook)) throw invalid('webhook', 'an absolute URL', webhook);
  for (const name of ['executionTimeout', 'ttl'] as const) {
    checkBounds(`policy.${name}`, policy?.[name], POLICY_BOUNDS_MS[name]);
  }
  const body = encodeJson({ input, ...present({ webhook, policy: present(policy), s3Config }) });
  if (!body.startsWith('{"input":') || body.startsWith('{"input":null')) {
    throw invalid('input', 'a JSON value other than null', String(input));
  }
  const sizeBytes = Buffer.byteLength(body);
  const maxBytes = MAX_BYTES[operation];
  if (sizeBytes <= maxBytes) return body;
  const message = `A job for /${operation} may be ${maxBytes} bytes at most, but is ${sizeBytes}. Put large inputs in a bucket and send their URLs.`;
  throw new RunpodError('payload_too_large', message);
}

/**
 * The query that says how long the server should wait: empty without `waitMs`.
 *
 * @throws RunpodError `option_invalid` when RunPod would refuse it
 */
export function waitQuery(operation: keyof typeof WAIT_BOUNDS_MS, waitMs: number | undefined): string {
  checkBounds('waitMs', waitMs, WAIT_BOUNDS_MS[operation]);
  return waitMs === undefined ? '' : `?wait=${waitMs}`;
}

function checkBounds(
  name: string,
  value: number | undefined,
  [min, max]: readonly [min: number, max: number],
): void {
  if (value === undefined || (value >= min && value <= max)) return;
  throw invalid(name, `${min} to ${max} ms`, String(value));
}

function encodeJson(body: object): string {
  try {
    return JSON.stringify(body);
  } catch (cause) {
    const message = `input should be JSON: ${cause instanceof Error ? cause.message : String(cause)}.`;
    throw new RunpodError('option_invalid', message, { cause });
  }
}

function invalid(name: string, expected: string, found: string): RunpodError {
  return new RunpodError('option_invalid', `${name} should be ${expected}, but is ${found}.`);
}

/** The entries that have a value; undefined when there are none. */
function present<T extends object>(fields: T | undefined): Partial<T> | undefined {
  const entries = Object.entries(fields ?? {}).filter(([, value]) => value !== undefined);
  return entries.length === 0 ? undefined : (Object.fromEntries(entries) as Partial<T>);
}
