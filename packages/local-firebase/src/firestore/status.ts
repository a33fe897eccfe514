/** The status codes that every Firestore transport shares, and the error that carries one to the edge. */

/** Canonical codes of google.rpc.Code by name. */
export const STATUS_NUMBERS = {
  OK: 0,
  CANCELLED: 1,
  UNKNOWN: 2,
  INVALID_ARGUMENT: 3,
  DEADLINE_EXCEEDED: 4,
  NOT_FOUND: 5,
  ALREADY_EXISTS: 6,
  PERMISSION_DENIED: 7,
  RESOURCE_EXHAUSTED: 8,
  FAILED_PRECONDITION: 9,
  ABORTED: 10,
  OUT_OF_RANGE: 11,
  UNIMPLEMENTED: 12,
  INTERNAL: 13,
  UNAVAILABLE: 14,
  DATA_LOSS: 15,
  UNAUTHENTICATED: 16,
} as const;

export type StatusCode = keyof typeof STATUS_NUMBERS;

const HTTP_STATUSES: Partial<Record<StatusCode, number>> = {
  OK: 200,
  CANCELLED: 499,
  INVALID_ARGUMENT: 400,
  FAILED_PRECONDITION: 400,
  OUT_OF_RANGE: 400,
  UNAUTHENTICATED: 401,
  PERMISSION_DENIED: 403,
  NOT_FOUND: 404,
  ABORTED: 409,
  ALREADY_EXISTS: 409,
  RESOURCE_EXHAUSTED: 429,
  UNIMPLEMENTED: 501,
  UNAVAILABLE: 503,
  DEADLINE_EXCEEDED: 504,
};

/** The HTTP status that google.rpc.Code's documentation gives for a code. */
function httpStatusOf(status: StatusCode): number {
  return HTTP_STATUSES[status] ?? 500;
}

/** A refusal that goes to the client as it is: its message must be fit for strangers. */
export class StatusError extends Error {
  readonly status: StatusCode;

  constructor(status: StatusCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = 'StatusError';
    this.status = status;
  }
}

/** The error body of REST and WebChannel. */
export type ErrorBody = { error: { code: number; message: string; status: StatusCode } };

export function errorBodyOf(error: StatusError): ErrorBody {
  return { error: { code: httpStatusOf(error.status), message: error.message, status: error.status } };
}

export function invalidArgument(message: string, options?: { cause?: unknown }): StatusError {
  return new StatusError('INVALID_ARGUMENT', message, options);
}
