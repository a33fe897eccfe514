/** Sends what a streaming handler yields: in order, one at a time, each chunk within the platform's limit. */
import { describeError, RunpodError } from '../errors.ts';
import { MAX_STREAM_CHUNK_BYTES } from '../payload-limits.ts';

/** How a handler's chunks are sent. */
export interface ChunkStreamOptions {
  /** Sends one `{output: chunk}`, UTF-8; the next chunk is asked for when it resolves, and the stream ends when it throws. */
  send(body: Uint8Array): Promise<void>;
  /** Ends the stream at the chunk that comes next: the generator's `return()` is called and the signal's reason thrown. */
  signal: AbortSignal;
  /** Keep all chunks for the final output. */
  aggregate: boolean;
  /** Gives what stands in for a chunk that is no text and too large; without it such a chunk fails the stream. */
  offload?: ((chunk: unknown, sizeBytes: number) => Promise<unknown>) | undefined;
}

/**
 * Sends every chunk of `chunks`. The generator has run its `finally` blocks when this settles.
 *
 * @returns the job's output: all chunks in order, or `[]` without `aggregate`; or the chunk that has an `error` key,
 *   which ends the stream and is not sent
 * @throws what the generator throws; what `send` throws; RunpodError `output_not_serializable` or `output_too_large`
 */
export async function sendChunks(
  chunks: AsyncIterable<unknown>,
  options: ChunkStreamOptions,
): Promise<unknown> {
  const { send, signal, aggregate, offload } = options;
  const sent: unknown[] = [];
  for await (const yielded of chunks) {
    signal.throwIfAborted();
    if (hasError(yielded)) return yielded;
    const sizeBytes = offload && typeof yielded !== 'string' ? chunkBody(yielded).byteLength : 0;
    const isLarge = offload && sizeBytes > MAX_STREAM_CHUNK_BYTES;
    const chunk = isLarge ? await offload(yielded, sizeBytes) : yielded;
    const bodies = encodeChunk(chunk);
    // Read back at once: the handler may fill the same object anew for its next chunk.
    if (aggregate) sent.push(typeof chunk === 'object' ? JSON.parse(JSON.stringify(chunk)) : (chunk ?? null));
    for (const body of bodies) {
      await send(body);
      signal.throwIfAborted();
    }
  }
  // A generator that ends because of its signal has not sent all that it had to say.
  signal.throwIfAborted();
  return sent;
}

/** The bodies for one chunk: one, or several for a string beyond the limit, cut between characters. */
function encodeChunk(chunk: unknown): Uint8Array[] {
  const body = chunkBody(chunk);
  if (body.byteLength <= MAX_STREAM_CHUNK_BYTES) return [body];
  if (typeof chunk !== 'string') {
    const message = `A chunk of the handler is ${body.byteLength} bytes, but may be ${MAX_STREAM_CHUNK_BYTES} at most: yield smaller chunks, or text, which is split.`;
    throw new RunpodError('output_too_large', message);
  }
  const middle = middleOf(chunk);
  return [...encodeChunk(chunk.slice(0, middle)), ...encodeChunk(chunk.slice(middle))];
}

function chunkBody(chunk: unknown): Uint8Array {
  try {
    return Buffer.from(JSON.stringify({ output: chunk ?? null }));
  } catch (cause) {
    const message = `A chunk of the handler cannot be written as JSON: ${describeError(cause)}.`;
    throw new RunpodError('output_not_serializable', message, { cause });
  }
}

/** An index near the middle of `text` that does not part a surrogate pair. */
function middleOf(text: string): number {
  const middle = text.length >> 1;
  const isPair = (text.codePointAt(middle - 1) ?? 0) > 0xffff;
  return isPair ? middle + 1 : middle;
}

function hasError(chunk: unknown): boolean {
  if (typeof chunk !== 'object' || chunk === null || Array.isArray(chunk)) return false;
  const { error } = chunk as { error?: unknown };
  return error !== undefined && error !== null;
}
