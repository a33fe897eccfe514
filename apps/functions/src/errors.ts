/** The one error class of the functions, and how an error becomes the answer of a callable. */
import { describeProblems, type Problem } from '@firepod/contract';
import { logger } from 'firebase-functions';
import { type FunctionsErrorCode, HttpsError } from 'firebase-functions/https';

/**
 * What went wrong, for programs; it travels to the caller as `details.code` (but see `invalid_argument`).
 *
 * `invalid_argument` (the caller's data; `details` is the list of problems, for forms), `unauthenticated` (nobody is
 * signed in), `quota_exceeded` (too many open or too many today), `not_found` (no such generation of this user),
 * `dispatch_failed` (RunPod did not take the job; the generation has failed), `settings_invalid` (a parameter of the
 * deployment is missing or malformed), `unavailable` (the database is busy or away; the same call may succeed later),
 * `internal` (a defect; the log has it).
 */
export type FirepodFunctionsErrorCode =
  | 'invalid_argument'
  | 'unauthenticated'
  | 'quota_exceeded'
  | 'not_found'
  | 'dispatch_failed'
  | 'settings_invalid'
  | 'unavailable'
  | 'internal';

const HTTPS_CODES: Record<FirepodFunctionsErrorCode, FunctionsErrorCode> = {
  invalid_argument: 'invalid-argument',
  unauthenticated: 'unauthenticated',
  quota_exceeded: 'resource-exhausted',
  not_found: 'not-found',
  dispatch_failed: 'unavailable',
  settings_invalid: 'failed-precondition',
  unavailable: 'unavailable',
  internal: 'internal',
};

/** Everything that the functions throw on purpose. The message is for the caller: no secret, no stack trace. */
export class FirepodFunctionsError extends Error {
  override readonly name = 'FirepodFunctionsError';
  readonly code: FirepodFunctionsErrorCode;
  /** What the caller gets beside the message. */
  readonly details: unknown;

  constructor(
    code: FirepodFunctionsErrorCode,
    message: string,
    options: { details?: unknown; cause?: unknown } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.details = options.details;
  }
}

/** Refuses a caller's data: a sentence for each problem, and the problems themselves for a form. */
export function invalidArgument(problems: readonly Problem[]): FirepodFunctionsError {
  return new FirepodFunctionsError('invalid_argument', describeProblems(problems), { details: problems });
}

/**
 * The answer for anything that a callable's handler threw. What is not ours is a defect: it is logged whole and the
 * caller learns nothing of it.
 */
export function toHttpsError(thrown: unknown): HttpsError {
  if (thrown instanceof FirepodFunctionsError) {
    const { code, message, details } = thrown;
    const shown = Array.isArray(details) ? details : { ...(details as object | undefined), code };
    return new HttpsError(HTTPS_CODES[code], message, shown);
  }
  if (isTransient(thrown)) {
    logger.warn('The database did not answer in time.', thrown);
    const message = 'The database is busy at the moment. Please try again.';
    return new HttpsError(HTTPS_CODES.unavailable, message, { code: 'unavailable' });
  }
  logger.error('A callable failed unexpectedly.', thrown);
  return new HttpsError('internal', 'Something went wrong on our side. Please try again.', {
    code: 'internal',
  });
}

/** gRPC's DEADLINE_EXCEEDED, RESOURCE_EXHAUSTED, ABORTED (a transaction met others too often) and UNAVAILABLE. */
const TRANSIENT_GRPC_CODES: readonly unknown[] = [4, 8, 10, 14];

function isTransient(thrown: unknown): boolean {
  return thrown instanceof Error && TRANSIENT_GRPC_CODES.includes((thrown as { code?: unknown }).code);
}
