/** Turns a job's outcome into the bytes that are posted: the error is always a string, the size is always checked. */
import { describeError, RunpodError } from '../errors.ts';
import { MAX_RUN_BYTES, MAX_RUNSYNC_BYTES } from '../payload-limits.ts';
import { JobError } from './job.ts';

/** An error is for reading: whatever was thrown, its text stays far below every limit. */
const MAX_MESSAGE_CHARACTERS = 4_000;
const MAX_CODE_CHARACTERS = 200;

/** How a handler ended. */
export type Outcome = { output: unknown } | { thrown: unknown };

/** The platform's limit for the result of this job in bytes; beyond it the platform answers 400 and the output is lost. */
export function platformResultLimitBytes(jobId: string): number {
  return jobId.startsWith('sync-') ? MAX_RUNSYNC_BYTES : MAX_RUN_BYTES;
}

/** What a result is made of besides the handler's outcome. */
export interface ResultOptions {
  workerId: string;
  maxBytes: number;
  /** Asks the platform for a new worker after this job, whatever its outcome. */
  refreshWorker: boolean;
}

/** The body to post, and what it says. */
export interface EncodedResult {
  body: Uint8Array;
  /** The code of the error in it when the job failed. */
  errorCode: string | undefined;
  /** Whether it asks the platform for a new worker in place of this one. */
  refreshesWorker: boolean;
  /** The output that was too large to be posted, without `refresh_worker`, and its size in bytes as a body. */
  oversize?: { output: unknown; sizeBytes: number };
}

/**
 * Encodes `{output}` or `{error}`, with `stopPod` when the worker is to be refreshed. As with RunPod's Python SDK, a
 * returned object's own `error` key fails the job, and its `refresh_worker` key, which is taken out, refreshes the worker.
 * What cannot be posted (not JSON, too large) becomes a failure that says so.
 */
export function encodeResult(outcome: Outcome, options: ResultOptions): EncodedResult {
  if ('thrown' in outcome) return encodeError(outcome.thrown, options, options.refreshWorker);
  let { refreshWorker: refreshesWorker } = options;
  let body: Uint8Array;
  let errorCode: string | undefined;
  try {
    const { output, error, isRefreshAsked } = splitOutput(outcome.output);
    refreshesWorker ||= isRefreshAsked;
    if (error !== undefined) errorCode = 'handler_failed';
    const fields = error === undefined ? { output } : { error: errorText(error, options.workerId), output };
    body = Buffer.from(JSON.stringify({ ...fields, ...stopPod(refreshesWorker) }));
  } catch (cause) {
    const message = `The handler's output cannot be written as JSON: ${describeError(cause)}.`;
    const error = new RunpodError('output_not_serializable', message, { cause });
    return encodeError(error, options, refreshesWorker);
  }
  if (body.byteLength <= options.maxBytes) return { body, errorCode, refreshesWorker };
  const { output, error } = splitOutput(outcome.output);
  // What went wrong is worth more than the output beside it.
  if (error !== undefined) return encodeError(error, options, refreshesWorker);
  const sizeBytes = body.byteLength;
  const message = `The job's result is ${sizeBytes} bytes, but may be ${options.maxBytes} at most: store large files elsewhere and return their addresses.`;
  const tooLarge = new RunpodError('output_too_large', message);
  return { ...encodeError(tooLarge, options, refreshesWorker), oversize: { output, sizeBytes } };
}

/** The code under which `thrown` is posted. */
function errorCodeOf(thrown: unknown): string {
  const isKnown = thrown instanceof JobError || thrown instanceof RunpodError;
  return isKnown ? thrown.code.slice(0, MAX_CODE_CHARACTERS) : 'handler_failed';
}

function encodeError(thrown: unknown, { workerId }: ResultOptions, refreshesWorker: boolean): EncodedResult {
  const fields = { error: errorText(thrown, workerId), ...stopPod(refreshesWorker) };
  return { body: Buffer.from(JSON.stringify(fields)), errorCode: errorCodeOf(thrown), refreshesWorker };
}

/** The platform's own key for "replace this worker". */
function stopPod(refreshesWorker: boolean): { stopPod?: true } {
  return refreshesWorker ? { stopPod: true } : {};
}

/** The platform takes an error only as a string: an object ends as COMPLETED without output (runpod-python #299). */
function errorText(thrown: unknown, workerId: string): string {
  const isKnown = thrown instanceof JobError || thrown instanceof RunpodError;
  return JSON.stringify({
    code: errorCodeOf(thrown),
    error_message: messageOf(thrown).slice(0, MAX_MESSAGE_CHARACTERS),
    error_type: (thrown instanceof Error ? thrown.name : typeof thrown).slice(0, MAX_CODE_CHARACTERS),
    retryable: isKnown ? thrown.retryable : false,
    worker_id: workerId,
  });
}

function messageOf(thrown: unknown): string {
  if (thrown instanceof Error) return thrown.message;
  if (typeof thrown !== 'object') return String(thrown);
  try {
    return JSON.stringify(thrown);
  } catch (cause) {
    return `An object was thrown that cannot be written as JSON: ${describeError(cause)}.`;
  }
}

interface SplitOutput {
  output: unknown;
  error?: unknown;
  isRefreshAsked: boolean;
}

function splitOutput(value: unknown): SplitOutput {
  // A handler that returns nothing has still completed: the key stays, as null.
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return { output: value ?? null, isRefreshAsked: false };
  }
  const { refresh_worker: refresh, ...kept } = value as { refresh_worker?: unknown; error?: unknown };
  const { error, ...rest } = kept;
  const isRefreshAsked = Boolean(refresh);
  const hasRest = Object.keys(rest).length > 0;
  if (error !== undefined && error !== null) {
    return { output: hasRest ? rest : undefined, error, isRefreshAsked };
  }
  // Without the key the value is passed on as it is, because it may have a toJSON of its own.
  if (refresh === undefined) return { output: value, isRefreshAsked };
  return { output: hasRest ? kept : undefined, isRefreshAsked };
}
