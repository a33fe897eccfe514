/** Calls a handler, whether it returns its output or yields it in chunks. */
import type { Logger } from '../logger.ts';
import { type ChunkStreamOptions, sendChunks } from './chunk-stream.ts';
import type { Handler, Job, JobContext, StreamingHandler } from './job.ts';

/** Either kind of handler. */
export type AnyHandler<Input, Output> = Handler<Input, Output> | StreamingHandler<Input, Output>;

/** What becomes of a handler's chunks. */
export interface ChunkSink {
  /** Asked once, when the handler turns out to stream, for what sends a chunk's body; throws when there is no way. */
  open(): (body: Uint8Array) => Promise<void>;
  /** Whether the chunks are in the output too. */
  aggregate: boolean;
  /** As for `sendChunks`. */
  offload?: ChunkStreamOptions['offload'];
}

/** @returns the job's output; throws what the handler throws, and what `sendChunks` does */
export async function callHandler<Input, Output>(
  handler: AnyHandler<Input, Output>,
  job: Job<Input>,
  context: JobContext,
  sink: ChunkSink,
): Promise<unknown> {
  const returned = handler(job, context);
  if (!isAsyncIterable(returned)) return await returned;
  return await sendChunks(returned, {
    send: sink.open(),
    signal: context.signal,
    aggregate: sink.aggregate,
    offload: sink.offload,
  });
}

/** A JobError is the handler's own word, also under an abort; anything else thrown then only echoes the abort. */
export function isDeliberate(thrown: unknown): boolean {
  return thrown instanceof Error && thrown.name === 'JobError';
}

/**
 * Logs what nobody foresaw, with its stack. A JobError's words are for who sent the job and may quote its input, so they
 * are not for the log.
 */
export function logUnforeseen(logger: Logger, thrown: unknown): void {
  if (isDeliberate(thrown)) return;
  const stack = thrown instanceof Error ? thrown.stack : undefined;
  logger.error({ stack }, `The handler failed: ${thrown instanceof Error ? thrown.message : String(thrown)}`);
}

/** Looks first, because a handler in plain JavaScript may return anything. */
function isAsyncIterable(value: unknown): value is AsyncIterable<unknown> {
  return typeof value === 'object' && value !== null && Symbol.asyncIterator in value;
}
