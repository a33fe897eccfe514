/** Reads what a client submits: the body of /run and /runsync, and the milliseconds in bodies and queries. */
import type { JobPolicy } from '../job-status.ts';
import { type Exchange, RefusedRequest } from './exchange.ts';
import { parseObject } from './json-object.ts';
import type { Submission } from './queued-job.ts';

/** Bounds of a time in milliseconds, both included. */
export interface BoundsMs {
  min: number;
  max: number;
}

const DAY_MS = 86_400_000;
/** RunPod's bounds of the policy's times. */
const POLICY_BOUNDS_MS: Record<'executionTimeout' | 'ttl', BoundsMs> = {
  executionTimeout: { min: 5_000, max: 7 * DAY_MS },
  ttl: { min: 10_000, max: 7 * DAY_MS },
};

/** @throws RefusedRequest 400 for a body that is too large, no JSON object, or has a field that is not as documented */
export async function readSubmission(
  exchange: Exchange,
  maxBytes: number,
): Promise<Omit<Submission, 'id' | 'kind'>> {
  const text = await exchange.readBody(maxBytes);
  if (text === undefined) throw new RefusedRequest(400, `The body may be ${maxBytes} bytes at most.`);
  const body = parseObject(text);
  if (!body) throw new RefusedRequest(400, 'The body should be a JSON object.');
  if (body['input'] === undefined || body['input'] === null) {
    throw new RefusedRequest(400, 'The body should have an "input".');
  }
  const { webhook, s3Config } = body;
  if (webhook !== undefined && !(typeof webhook === 'string' && URL.canParse(webhook))) {
    throw new RefusedRequest(400, `webhook should be a URL, but is ${JSON.stringify(webhook)}.`);
  }
  return {
    input: body['input'],
    webhook,
    policy: readPolicy(body['policy']),
    // RunPod passes these on and throws other keys away.
    extras: {
      ...(webhook === undefined ? {} : { webhook }),
      ...(s3Config === undefined ? {} : { s3Config }),
    },
  };
}

function readPolicy(value: unknown): JobPolicy | undefined {
  if (value === undefined || value === null) return undefined;
  if (typeof value !== 'object') throw new RefusedRequest(400, 'policy should be an object.');
  const policy: JobPolicy = {};
  for (const name of ['executionTimeout', 'ttl'] as const) {
    const limitMs = (value as Record<string, unknown>)[name];
    if (limitMs !== undefined)
      policy[name] = readMilliseconds(`policy.${name}`, limitMs, POLICY_BOUNDS_MS[name]);
  }
  const { lowPriority } = value as { lowPriority?: unknown };
  if (lowPriority !== undefined) {
    if (typeof lowPriority !== 'boolean') {
      throw new RefusedRequest(
        400,
        `policy.lowPriority should be a boolean, but is ${JSON.stringify(lowPriority)}.`,
      );
    }
    policy.lowPriority = lowPriority;
  }
  return policy;
}

/** @throws RefusedRequest 400 when `value` is no number within `bounds` */
export function readMilliseconds(name: string, value: unknown, bounds: BoundsMs): number {
  if (typeof value === 'number' && value >= bounds.min && value <= bounds.max) return value;
  throw new RefusedRequest(400, `${name} should be ${bounds.min} to ${bounds.max} ms, but is ${value}.`);
}
