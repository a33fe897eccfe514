/** The closed list of reasons why a generation fails, each with a sentence for people and its callable error code. */

/** The gRPC-style codes of firebase-functions' `HttpsError` that we use. */
export type HttpsErrorCode =
  | 'aborted'
  | 'cancelled'
  | 'deadline-exceeded'
  | 'failed-precondition'
  | 'internal'
  | 'invalid-argument'
  | 'permission-denied'
  | 'resource-exhausted'
  | 'unavailable';

interface ErrorCodeEntry {
  /** What a person reads in `error` when the writer has nothing more exact to say. */
  readonly sentence: string;
  /** What a callable throws for it. */
  readonly httpsCode: HttpsErrorCode;
  /** Whether the same request may succeed later without being changed. */
  readonly retryable: boolean;
}

/** Every value that `error_code` can have. */
export const ERROR_CODES = {
  invalid_argument: {
    sentence: 'The request has a value that is not allowed.',
    httpsCode: 'invalid-argument',
    retryable: false,
  },
  cancelled: { sentence: 'The generation was cancelled.', httpsCode: 'cancelled', retryable: true },
  timeout: {
    sentence: 'The generation took longer than allowed. Try fewer steps or a smaller size.',
    httpsCode: 'deadline-exceeded',
    retryable: true,
  },
  out_of_memory: {
    sentence: 'The GPU ran out of memory. Try a smaller size, fewer images or fewer frames.',
    httpsCode: 'resource-exhausted',
    retryable: false,
  },
  model_not_available: {
    sentence: 'The model for this request is not available on the worker.',
    httpsCode: 'failed-precondition',
    retryable: true,
  },
  source_not_available: {
    sentence: 'The source image could not be read. Check that it still exists and is an image.',
    httpsCode: 'failed-precondition',
    retryable: false,
  },
  upload_failed: {
    sentence: 'The result could not be saved. Please try again.',
    httpsCode: 'unavailable',
    retryable: true,
  },
  worker_lost: {
    sentence: 'The worker stopped several times while generating. Please try again.',
    httpsCode: 'aborted',
    retryable: true,
  },
  dispatch_failed: {
    sentence: 'The request could not be handed to the GPU service. Please try again.',
    httpsCode: 'unavailable',
    retryable: true,
  },
  content_rejected: {
    sentence: 'The request or its result was rejected by the content rules.',
    httpsCode: 'permission-denied',
    retryable: false,
  },
  internal: {
    sentence: 'Something went wrong on our side. Please try again.',
    httpsCode: 'internal',
    retryable: true,
  },
} as const satisfies Record<string, ErrorCodeEntry>;

/** One value of a failed document's `error_code`. */
export type ErrorCode = keyof typeof ERROR_CODES;

/** Whether a value read from elsewhere is one of our error codes. */
export function isErrorCode(value: unknown): value is ErrorCode {
  return typeof value === 'string' && Object.hasOwn(ERROR_CODES, value);
}
