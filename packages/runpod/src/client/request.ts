/** One call of the endpoint API: bearer key, a time limit, retries where they are safe, errors as RunpodError. */
import { type Clock, pause } from '../clock.ts';
import { describeError, RunpodError, type RunpodErrorCode } from '../errors.ts';
import type { Logger } from '../logger.ts';
import { type BackoffOptions, backoffMs, isTransientStatus, retryAfterMs } from '../retry.ts';

/** What every call of a client shares. */
export interface RequestContext {
  /** Endpoint root without a trailing slash, e.g. `https://api.runpod.ai/v2/abc`. */
  endpointUrl: string;
  apiKey: string;
  fetch: typeof fetch;
  clock: Clock;
  logger: Logger;
  maxAttempts: number;
  backoff: BackoffOptions;
}

/** One call; `repeatable` calls are retried on any transient failure, others only when the server surely has not acted. */
export interface ApiRequest {
  method: 'GET' | 'POST';
  path: string;
  /** JSON. */
  body?: string;
  repeatable: boolean;
  /** For one attempt, reply read whole. */
  timeoutMs: number;
  signal: AbortSignal | undefined;
}

/** Errors of a connection that never stood: nothing was sent, so that even /run may be repeated. */
const CONNECTION_NEVER_STOOD = new Set(['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'UND_ERR_CONNECT_TIMEOUT']);

/** No server may hold a caller longer than this by Retry-After. */
const MAX_RETRY_AFTER_MS = 60_000;

/**
 * Sends the request and returns the parsed JSON of a 2xx reply.
 *
 * @throws RunpodError by the reply's status, or `network`, `timeout`, `aborted`, `unexpected_response`
 */
export async function requestJson(context: RequestContext, request: ApiRequest): Promise<unknown> {
  for (let attempt = 0; ; attempt += 1) {
    const result = await attemptOnce(context, request);
    if ('value' in result) return result.value;
    const mayRepeat = result.surelyNotActed || (request.repeatable && result.error.retryable);
    if (!mayRepeat || attempt + 1 >= context.maxAttempts) throw result.error;
    const delayMs = Math.min(result.retryAfterMs ?? backoffMs(attempt, context.backoff), MAX_RETRY_AFTER_MS);
    context.logger.warn(
      { path: request.path, attempt: attempt + 1, delayMs, code: result.error.code },
      `${result.error.message} Trying again.`,
    );
    await pause(context.clock, delayMs, request.signal);
    if (request.signal?.aborted) throw abortedError(request);
  }
}

type AttemptResult =
  | { value: unknown }
  | { error: RunpodError; surelyNotActed: boolean; retryAfterMs?: number | undefined };

async function attemptOnce(context: RequestContext, request: ApiRequest): Promise<AttemptResult> {
  if (request.signal?.aborted) return { error: abortedError(request), surelyNotActed: false };
  const timeout = new AbortController();
  const cancelTimeout = context.clock.after(request.timeoutMs, () => timeout.abort());
  let response: Response;
  let text: string;
  try {
    response = await context.fetch(`${context.endpointUrl}${request.path}`, {
      method: request.method,
      headers: {
        authorization: `Bearer ${context.apiKey}`,
        accept: 'application/json',
        ...(request.body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(request.body === undefined ? {} : { body: request.body }),
      signal: request.signal ? AbortSignal.any([request.signal, timeout.signal]) : timeout.signal,
    });
    text = await response.text();
  } catch (thrown) {
    return failedConnection(request, timeout.signal, thrown);
  } finally {
    cancelTimeout();
  }
  if (!response.ok) return refusedRequest(context, request, response, text);
  try {
    return { value: JSON.parse(text) };
  } catch (cause) {
    const message = `RunPod answered ${request.method} ${request.path} with ${response.status} but not with JSON: ${excerpt(text)}`;
    return { error: new RunpodError('unexpected_response', message, { cause }), surelyNotActed: false };
  }
}

function failedConnection(request: ApiRequest, timeout: AbortSignal, thrown: unknown): AttemptResult {
  if (request.signal?.aborted) return { error: abortedError(request), surelyNotActed: false };
  if (timeout.aborted) {
    const message = `RunPod did not answer ${request.method} ${request.path} within ${request.timeoutMs} ms.`;
    return {
      error: new RunpodError('timeout', message, { cause: thrown, retryable: true }),
      surelyNotActed: false,
    };
  }
  const cause = thrown instanceof Error ? thrown.cause : undefined;
  const systemCode = (cause as { code?: unknown } | undefined)?.code;
  const message = `RunPod could not be reached for ${request.method} ${request.path}: ${describeError(thrown)}.`;
  return {
    error: new RunpodError('network', message, { cause: thrown, retryable: true }),
    surelyNotActed: typeof systemCode === 'string' && CONNECTION_NEVER_STOOD.has(systemCode),
  };
}

function refusedRequest(
  context: RequestContext,
  request: ApiRequest,
  response: Response,
  text: string,
): AttemptResult {
  const message = `RunPod refused ${request.method} ${request.path} with ${response.status}: ${excerpt(text)}`;
  return {
    error: new RunpodError(codeOfStatus(response.status), message, {
      retryable: isTransientStatus(response.status),
      httpStatus: response.status,
    }),
    // 429 is given before the queue is touched; a 5xx may come after.
    surelyNotActed: response.status === 429,
    retryAfterMs: retryAfterMs(response.headers.get('retry-after'), context.clock.now()),
  };
}

function codeOfStatus(status: number): RunpodErrorCode {
  if (status === 401 || status === 403) return 'unauthorized';
  if (status === 404) return 'not_found';
  if (status === 429) return 'rate_limited';
  return status >= 500 ? 'server_error' : 'bad_request';
}

function abortedError(request: ApiRequest): RunpodError {
  const message = `The caller stopped waiting for ${request.method} ${request.path}.`;
  return new RunpodError('aborted', message, { cause: request.signal?.reason });
}

/** Enough of a foreign body to recognise it, never all of it. */
function excerpt(text: string): string {
  const line = text.replaceAll(/\s+/g, ' ').trim();
  if (line === '') return '(empty body)';
  return line.length > 300 ? `${line.slice(0, 300)}…` : line;
}
