/** The worker's one error class, its closed set of codes, and how anything thrown becomes a code and a sentence. */
import { ERROR_CODES, type ErrorCode } from '@firepod/contract';

/**
 * The codes of a failed document, and three that never reach one:
 * - `environment_invalid`: the process cannot start with these environment variables.
 * - `engine_crashed`: the engine's process died; another attempt may well succeed.
 * - `superseded`: the generation was ended or taken over by someone else; this attempt must leave no trace.
 */
export type WorkerErrorCode = ErrorCode | 'environment_invalid' | 'engine_crashed' | 'superseded';

/** Everything that the worker throws on purpose; the message is a sentence that may be shown to a user. */
export class WorkerError extends Error {
  override readonly name: string = 'WorkerError';
  readonly code: WorkerErrorCode;

  constructor(code: WorkerErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.code = code;
  }
}

/** The engine's process ended in the middle of its work. */
export class EngineCrashedError extends WorkerError {
  override readonly name = 'EngineCrashedError';
  readonly exitCode: number | null;
  readonly signal: NodeJS.Signals | null;

  /** @param death as `describeDeath` words it */
  constructor(death: string, ending: { exitCode: number | null; signal: NodeJS.Signals | null }) {
    super('engine_crashed', `The engine's process ended unexpectedly (${death}).`);
    this.exitCode = ending.exitCode;
    this.signal = ending.signal;
  }
}

/** Whether a thrown error says that this attempt no longer owns its generation. */
export function isSuperseded(thrown: unknown): boolean {
  return thrown instanceof WorkerError && thrown.code === 'superseded';
}

/** Anything thrown, with its causes, in one line for a log. */
export function describeThrown(thrown: unknown): string {
  if (!(thrown instanceof Error)) return String(thrown);
  return thrown.cause === undefined ? thrown.message : `${thrown.message} (${describeThrown(thrown.cause)})`;
}

/** What a failed document and the RunPod job say about an error. */
export interface Failure {
  code: ErrorCode;
  /** A sentence that a person can act on; no stack trace or secret. */
  message: string;
  /** Whether the same request may succeed later without being changed. */
  retryable: boolean;
}

/**
 * The failure that a user sees for anything thrown. Only our own sentences are shown: a library's message may hold
 * paths, addresses or keys, so it goes to the log alone.
 */
export function failureOf(thrown: unknown): Failure {
  if (thrown instanceof WorkerError) {
    const { code, message } = thrown;
    if (code === 'engine_crashed' || code === 'superseded' || code === 'environment_invalid') {
      return failure(code === 'engine_crashed' ? 'worker_lost' : 'internal');
    }
    return failure(code, message);
  }
  return failure('internal');
}

function failure(code: ErrorCode, message?: string): Failure {
  return { code, message: message ?? ERROR_CODES[code].sentence, retryable: ERROR_CODES[code].retryable };
}
