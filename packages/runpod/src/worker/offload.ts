/** Results and chunks that are too large for the platform go to their author's hook, which stores them elsewhere. */
import { describeError, RunpodError } from '../errors.ts';
import type { Logger } from '../logger.ts';
import { MAX_STREAM_CHUNK_BYTES } from '../payload-limits.ts';
import { type Job, JobError } from './job.ts';
import { encodeResult, type ResultOptions } from './result.ts';

/** What was too large. */
export interface LargeOutput {
  kind: 'result' | 'chunk';
  /** As the handler returned or yielded it. */
  output: unknown;
  /** As it would have been posted, to the byte. */
  sizeBytes: number;
  /** What the platform takes. */
  maxBytes: number;
}

/**
 * Stores `large.output` where it has room and returns what is posted in its place, such as its address. What it throws
 * fails the job: a JobError by its code, anything else as `offload_failed`.
 */
export type OffloadResult<Input = unknown> = (
  job: Job<Input>,
  large: LargeOutput,
  context: { signal: AbortSignal },
) => Promise<unknown>;

/** One job's way past the platform's limits; without a hook everything passes through, to fail as `output_too_large`. */
export interface Offload {
  /**
   * The output as it is, or what stands in for it. When an output that is replaced asks for a new worker, `options` does
   * so from now on: what stands in for it need not say it again, and it holds too when the hook throws.
   *
   * @throws JobError, the signal's reason, or RunpodError `offload_failed`, which is retryable
   */
  result(output: unknown, options: ResultOptions): Promise<unknown>;
  /** What stands in for a chunk of `sizeBytes`, which is too large; throws as `result`. */
  chunk: ((chunk: unknown, sizeBytes: number) => Promise<unknown>) | undefined;
}

/** @param signal aborts when the job should stop */
export function createOffload<Input>(
  hook: OffloadResult<Input> | undefined,
  job: Job<Input>,
  { signal, logger }: { signal: AbortSignal; logger: Logger },
): Offload {
  if (!hook) {
    return { result: async (output) => output, chunk: undefined };
  }
  const call = async (large: LargeOutput): Promise<unknown> => {
    const { kind, sizeBytes, maxBytes } = large;
    logger.info({ sizeBytes, maxBytes }, `The ${kind} is too large to be posted and goes to offloadResult.`);
    try {
      return await hook(job, large, { signal });
    } catch (cause) {
      signal.throwIfAborted();
      if (cause instanceof JobError) throw cause;
      const message = `The job's ${kind} is ${sizeBytes} bytes, more than the ${maxBytes} that fit, and could not be stored elsewhere: ${describeError(cause)}.`;
      throw new RunpodError('offload_failed', message, { cause, retryable: true });
    }
  };
  return {
    async result(output, options) {
      const { oversize, refreshesWorker } = encodeResult({ output }, options);
      if (!oversize) return output;
      options.refreshWorker = refreshesWorker;
      return await call({ kind: 'result', ...oversize, maxBytes: options.maxBytes });
    },
    chunk: (output, sizeBytes) =>
      call({ kind: 'chunk', output, sizeBytes, maxBytes: MAX_STREAM_CHUNK_BYTES }),
  };
}
