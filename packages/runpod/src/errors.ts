/** The one error class of this package, and the closed list of codes that a caller may branch on. */

/**
 * What went wrong, for programs.
 *
 * Of a request: `aborted` (the caller's signal), `timeout`, `network` (no reply), `bad_request` (other 4xx),
 * `unauthorized` (401, 403), `not_found` (404), `rate_limited` (429), `server_error` (5xx),
 * `unexpected_response` (a 2xx whose body is not what the API promises), `job_failed` (a stream whose job ended
 * FAILED, CANCELLED or TIMED_OUT); and before anything is sent, `payload_too_large` (an input beyond RunPod's limits) and
 * `option_invalid` (an option out of RunPod's bounds, an input that is no JSON).
 *
 * Of a worker: `settings_invalid` (its environment), `worker_unhealthy` (a fitness check failed), and the reasons that a
 * job's signal carries: `job_stopped` (the platform withdrew the job) and `worker_shutdown` (the drain's deadline passed).
 *
 * Posted as a job's error: `worker_shutdown`, `invalid_job`, `handler_failed`, `output_too_large`,
 * `output_not_serializable`, `offload_failed` (the author's hook for large results threw), `output_undelivered` (a
 * stream's chunk did not arrive), besides the codes of a handler's own `JobError`s.
 *
 * Of the local RunPod: `option_invalid`, `port_unavailable`.
 */
export type RunpodErrorCode =
  | 'aborted'
  | 'timeout'
  | 'network'
  | 'bad_request'
  | 'unauthorized'
  | 'not_found'
  | 'rate_limited'
  | 'server_error'
  | 'unexpected_response'
  | 'payload_too_large'
  | 'job_failed'
  | 'settings_invalid'
  | 'worker_unhealthy'
  | 'job_stopped'
  | 'worker_shutdown'
  | 'invalid_job'
  | 'handler_failed'
  | 'output_too_large'
  | 'output_not_serializable'
  | 'offload_failed'
  | 'output_undelivered'
  | 'option_invalid'
  | 'port_unavailable';

/** Everything that this package throws on purpose. */
export class RunpodError extends Error {
  override readonly name = 'RunpodError';
  readonly code: RunpodErrorCode;
  /** Whether the same call may succeed when it is made again later. */
  readonly retryable: boolean;
  /** The HTTP status of the reply that caused it, when there was a reply. */
  readonly httpStatus: number | undefined;

  constructor(
    code: RunpodErrorCode,
    message: string,
    options: { cause?: unknown; retryable?: boolean; httpStatus?: number } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.retryable = options.retryable ?? false;
    this.httpStatus = options.httpStatus;
  }
}

/** The message of anything thrown, with the first cause beneath it: "fetch failed (connect ECONNREFUSED …)". */
export function describeError(thrown: unknown): string {
  if (!(thrown instanceof Error)) return String(thrown);
  const cause = thrown.cause instanceof Error ? thrown.cause.message : undefined;
  return cause && !thrown.message.includes(cause) ? `${thrown.message} (${cause})` : thrown.message;
}
