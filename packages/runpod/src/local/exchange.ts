/** One request and its reply as the handlers see them, whatever carries them, and the refusals that handlers throw. */

import { describeError } from '../errors.ts';
import type { Logger } from '../logger.ts';

/** Reply headers besides the content type. */
export type ReplyHeaders = Readonly<Record<string, string>>;

/** One request and its reply. */
export interface Exchange {
  readonly method: string;
  /** The path's segments, decoded: `/v2/abc/run` → `['v2', 'abc', 'run']`. */
  readonly segments: readonly string[];
  readonly query: URLSearchParams;
  readonly authorization: string | undefined;
  /** Aborts when the caller's connection closes before the reply has left. */
  readonly callerGone: AbortSignal;
  /**
   * The body as text; it may be read again.
   *
   * @returns undefined when it is longer than `maxBytes`
   */
  readBody(maxBytes: number): Promise<string | undefined>;
  /** Sends JSON, or nothing when `body` is undefined; resolves true when all of it was handed to the connection. */
  reply(status: number, body?: unknown, headers?: ReplyHeaders): Promise<boolean>;
  /** Sends the head and the first half of the body, then breaks the connection. */
  replyPartly(status: number, body?: unknown, headers?: ReplyHeaders): void;
  /** Breaks the connection without a reply. */
  cut(): void;
}

/** Thrown by a handler: answered as `{error}` with its status. */
export class RefusedRequest extends Error {
  override readonly name = 'RefusedRequest';
  readonly status: number;
  readonly headers: ReplyHeaders;

  constructor(status: number, message: string, headers: ReplyHeaders = {}) {
    super(message);
    this.status = status;
    this.headers = headers;
  }
}

/** Lets `handle` answer; what it throws is answered here: refusals with their status, anything else with 500. */
export async function answer(
  exchange: Exchange,
  handle: (exchange: Exchange) => Promise<void>,
  logger: Logger,
): Promise<void> {
  try {
    await handle(exchange);
  } catch (thrown) {
    if (thrown instanceof RefusedRequest) {
      await exchange.reply(thrown.status, { error: thrown.message }, thrown.headers);
      return;
    }
    // A caller that went away while it was sending: its own affair.
    if (exchange.callerGone.aborted) return;
    const path = `/${exchange.segments.join('/')}`;
    logger.error({ error: describeError(thrown), path }, 'The local RunPod failed to answer a request.');
    await exchange.reply(500, { error: 'The local RunPod failed to answer; see its log.' });
  }
}

/** A URL's path in the form that exchanges have it. */
export function segmentsOf(pathname: string): string[] {
  return pathname.split('/').filter(Boolean).map(decodeSegment);
}

function decodeSegment(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    // Not encoded as it should be: then it is no name that is known here.
    return segment;
  }
}
