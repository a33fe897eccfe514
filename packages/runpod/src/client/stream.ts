/** A job's chunks as an async iterator, made of polls that each hand out what has come since the last. */
import { type Clock, pause } from '../clock.ts';
import { RunpodError } from '../errors.ts';
import { isTerminalStatus, type JobEnvelope } from '../job-status.ts';
import { parseJobError, readStream } from './response.ts';

/** One job's stream. */
interface ChunkSource {
  /** One GET of /stream, parsed. */
  poll(): Promise<unknown>;
  /** One GET of /status, for what a stream's reply leaves out. */
  status(): Promise<JobEnvelope>;
  pollIntervalMs: number;
  clock: Clock;
  /** Ends the pauses; the polls end by themselves, with `aborted`. */
  signal: AbortSignal | undefined;
}

/**
 * Yields each chunk; ends with the first poll after the job's end that brings none.
 *
 * @throws RunpodError `job_failed` when the job ended in any state but COMPLETED, and whatever a poll throws
 */
export async function* streamChunks<Chunk>(source: ChunkSource): AsyncGenerator<Chunk, void, undefined> {
  for (let hasEnded = false; ; ) {
    const reply = readStream<Chunk>(await source.poll());
    yield* reply.chunks;
    if (hasEnded && reply.chunks.length === 0) break;
    // RunPod's documentation shows a bare array: then the status has to be asked for.
    const status = reply.status ?? (await source.status()).status;
    hasEnded = isTerminalStatus(status);
    if (!hasEnded) await pause(source.clock, source.pollIntervalMs, source.signal);
  }
  const ended = await source.status();
  if (ended.status === 'COMPLETED') return;
  const failure = parseJobError(ended.error);
  const reason = (failure.message || 'no error was given').replace(/\.$/, '');
  throw new RunpodError(
    'job_failed',
    `Job ${ended.id} ended ${ended.status} while it was streamed: ${reason}.`,
    { retryable: failure.retryable },
  );
}
