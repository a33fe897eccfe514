/** What a worker's author writes against: the job, its handler, and the error that a handler may throw. */
import type { Logger } from '../logger.ts';

/** A job as the platform hands it out; other keys that it carries are kept. */
export interface Job<Input = unknown> {
  id: string;
  input: Input;
  webhook?: string;
  [key: string]: unknown;
}

/** What a handler gets besides its job. */
export interface JobContext {
  /**
   * Aborts when the job should stop; its reason is a RunpodError `job_stopped` (withdrawn: whatever the handler
   * returns is thrown away) or `worker_shutdown` (the drain's deadline passed: a result within the grace still counts).
   */
  signal: AbortSignal;
  /**
   * Reports how far the job is: any JSON value, shown as the job's `output` while it runs. Updates keep their order,
   * the latest wins when they come faster than they may be sent, and none arrives after the result.
   */
  progress(update: unknown): void;
  /** Lines carry the job's id. */
  logger: Logger;
}

/** Turns a job's input into its output (any JSON value); an error thrown fails the job. */
export type Handler<Input, Output> = (job: Job<Input>, context: JobContext) => Promise<Output>;

/**
 * Yields a job's output in chunks (any JSON values), which the platform's /stream hands out as they come. The next
 * chunk is asked for when the last one has arrived. A string beyond 1 MB is split, another chunk so large fails the job.
 * An error thrown, or a chunk with an `error` key, ends the stream and fails the job. When the job is stopped or a
 * shutdown's deadline passes, the generator is ended (`return()`) at its next chunk; `signal` tells it sooner.
 */
export type StreamingHandler<Input, Chunk> = (
  job: Job<Input>,
  context: JobContext,
) => AsyncGenerator<Chunk, void, void>;

/** Thrown by a handler to fail its job with a code of its own, which the caller finds by `parseJobError`. */
export class JobError extends Error {
  override readonly name = 'JobError';
  /** A stable code for programs, e.g. `out_of_memory`. */
  readonly code: string;
  /** Whether the same input may succeed when it is submitted again. */
  readonly retryable: boolean;

  constructor(message: string, options: { code: string; retryable?: boolean; cause?: unknown }) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = options.code;
    this.retryable = options.retryable ?? false;
  }
}
