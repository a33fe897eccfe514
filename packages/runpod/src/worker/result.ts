/** Turns a job's outcome into the bytes that are posted: the error is always a string, the size is always checked. */
import { describeError, RunpodError } from '../errors.ts';
import { MAX_RUN_BYTES, MAX_RUNSYNC_BYTES } from '../payload-limits.ts';
import { JobError } from './job.ts';

/** How a handler ended. */
export type Outcome = { output: unknown } | { thrown: unknown };

/** The platform's limit for the result of this job in bytes; beyond it the platform answers 400 and the output is lost. */
export function platformResultLimitBytes(jobId: string): number {
  return jobId.startsWith('sync-') ? MAX_RUNSYNC_BYTES : MAX_RUN_BYTES;
}

/** The body to post, and the code of the error in it when the job failed. */
export interface EncodedResult {
  body: Uint8Array;
  errorCode: string | undefined;
}

/**
 * Encodes `{output}` or `{error}`. A returned object's own `error` key fails the job, as with RunPod's Python SDK. What
 * cannot be posted (not JSON, too large) becomes a failure that says so.
 */
export function encodeResult(
  outcome: Outcome,
  options: { workerId: string; maxBytes: number },
): EncodedResult {
  if ('thrown' in outcome) return encodeError(outcome.thrown, options.workerId);
  let body: Uint8Array;
  let errorCode: string | undefined;
  try {
    const { output, error } = splitOutput(outcome.output);
    if (error !== undefined) errorCode = 'handler_failed';
    const fields = error === undefined ? { output } : { error: errorText(error, options.workerId), output };
    body = Buffer.from(JSON.stringify(fields));
  } catch (cause) {
    const message = `The handler's output cannot be written as JSON: ${describeError(cause)}.`;
    return encodeError(new RunpodError('output_not_serializable', message, { cause }), options.workerId);
  }
  if (body.byteLength > options.maxBytes) {
    const message = `The job's result is ${body.byteLength} bytes, but may be ${options.maxBytes} at most: store large files elsewhere and return their addresses.`;
    return encodeError(new RunpodError('output_too_large', message), options.workerId);
  }
  return { body, errorCode };
}

/** The code under which `thrown` is posted. */
function errorCodeOf(thrown: unknown): string {
  return thrown instanceof JobError || thrown instanceof RunpodError ? thrown.code : 'handler_failed';
}

function encodeError(thrown: unknown, workerId: string): EncodedResult {
  return {
    body: Buffer.from(JSON.stringify({ error: errorText(thrown, workerId) })),
    errorCode: errorCodeOf(thrown),
  };
}

/** The platform takes an error only as a string: an object ends as COMPLETED without output (runpod-python #299). */
function errorText(thrown: unknown, workerId: string): string {
  const isKnown = thrown instanceof JobError || thrown instanceof RunpodError;
  return JSON.stringify({
    code: errorCodeOf(thrown),
    error_message: messageOf(thrown).slice(0, 4_000),
    error_type: thrown instanceof Error ? thrown.name : typeof thrown,
    retryable: isKnown ? thrown.retryable : false,
    worker_id: workerId,
  });
}

function messageOf(thrown: unknown): string {
  if (thrown instanceof Error) return thrown.message;
  return typeof thrown === 'object' ? JSON.stringify(thrown) : String(thrown);
}

function splitOutput(value: unknown): { output: unknown; error?: unknown } {
  // A handler that returns nothing has still completed: the key stays, as null.
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return { output: value ?? null };
  const { error, ...rest } = value as { error?: unknown };
  if (error === undefined || error === null) return { output: value };
  return { output: Object.keys(rest).length > 0 ? rest : undefined, error };
}
