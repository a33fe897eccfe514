/** The one error class of this package, and the closed list of codes that an app may branch on. */
import { ERROR_CODES, type ErrorCode, isErrorCode, type Problem } from '@firepod/contract';

/**
 * What went wrong, for programs. Either why a generation failed (the contract's `ErrorCode`: `timeout`,
 * `out_of_memory`, `cancelled` …), or why a call did:
 *
 * `invalid_argument` (see `problems`), `signed_out` (nobody is signed in), `permission_denied` (another user's),
 * `quota_exceeded` (too many at the same time or on this day), `not_found` (no such generation, or it was deleted),
 * `dispatch_failed` (the GPU service did not take the job), `not_set_up` (the functions are not deployed or lack a
 * setting), `unavailable` (Firebase could not be reached), `aborted` (the caller's signal).
 */
export type FirepodErrorCode =
  | ErrorCode
  | 'signed_out'
  | 'permission_denied'
  | 'quota_exceeded'
  | 'not_found'
  | 'not_set_up'
  | 'unavailable'
  | 'aborted';

const CALL_ERRORS = {
  signed_out: { sentence: 'Sign in first.', retryable: false },
  permission_denied: { sentence: 'This belongs to another user.', retryable: false },
  quota_exceeded: { sentence: 'Too many generations. Please try again later.', retryable: true },
  not_found: { sentence: 'There is no such generation.', retryable: false },
  not_set_up: { sentence: 'The functions of this app are not set up.', retryable: false },
  unavailable: { sentence: 'The server could not be reached. Please try again.', retryable: true },
  aborted: { sentence: 'The caller stopped waiting.', retryable: true },
} as const satisfies Record<Exclude<FirepodErrorCode, ErrorCode>, { sentence: string; retryable: boolean }>;

/** Whether a value read from elsewhere is one of our codes. */
export function isFirepodErrorCode(value: unknown): value is FirepodErrorCode {
  return isErrorCode(value) || (typeof value === 'string' && Object.hasOwn(CALL_ERRORS, value));
}

/** Everything that this package throws or hands to `onError`. The message is a sentence that a person can read. */
export class FirepodError extends Error {
  override readonly name = 'FirepodError';
  readonly code: FirepodErrorCode;
  /** Whether the same call may succeed later without being changed. */
  readonly retryable: boolean;
  /** For `invalid_argument`: one entry for each field that was refused, for a form. Else empty. */
  readonly problems: readonly Problem[];

  /** Without a `message` the code's own sentence. */
  constructor(
    code: FirepodErrorCode,
    message = '',
    options: { cause?: unknown; problems?: readonly Problem[] } = {},
  ) {
    const entry = isErrorCode(code) ? ERROR_CODES[code] : CALL_ERRORS[code];
    super(
      message === '' ? entry.sentence : message,
      options.cause === undefined ? undefined : { cause: options.cause },
    );
    this.code = code;
    this.retryable = entry.retryable;
    this.problems = options.problems ?? [];
  }
}
