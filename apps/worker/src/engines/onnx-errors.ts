/** What `@firepod/diffusion` throws, as the worker's errors. */
import { ERROR_CODES } from '@firepod/contract';
import { DiffusionError } from '@firepod/diffusion';
import { WorkerError } from '../errors.ts';

/** For a model that cannot be loaded: which file it was is for the log, in the cause. */
export function loadErrorOf(cause: unknown): WorkerError {
  const isMemory = cause instanceof DiffusionError && cause.code === 'out_of_memory';
  const code = isMemory ? 'out_of_memory' : 'model_not_available';
  return new WorkerError(code, ERROR_CODES[code].sentence, { cause });
}

/** For a generation that failed. */
export function generationErrorOf(cause: unknown): WorkerError {
  if (cause instanceof WorkerError) return cause;
  if (cause instanceof DiffusionError) {
    // These two name a field, its value and what was expected; the others may name files.
    if (cause.code === 'invalid_request' || cause.code === 'unsupported') {
      return new WorkerError('invalid_argument', cause.message, { cause });
    }
    if (cause.code === 'out_of_memory') {
      return new WorkerError('out_of_memory', ERROR_CODES.out_of_memory.sentence, { cause });
    }
  }
  return new WorkerError('internal', ERROR_CODES.internal.sentence, { cause });
}
