/** A job with a document: claims its generation, attempts it until it has ended, whoever ended it, and says how. */
import {
  createJobInput,
  ERROR_CODES,
  type ErrorCode,
  type GenerationData,
  generationPath,
  type JobOutput,
  mediaTypeOf,
  type NewGeneration,
  parseGeneration,
  promptWords,
  type TransitionPolicy,
} from '@firepod/contract';
import { JobError, type Logger, RunpodError, withFields } from '@firepod/runpod/worker';
import type { Firestore } from 'firebase-admin/firestore';
import { describeThrown, EngineCrashedError, failureOf, isSuperseded } from '../errors.ts';
import { type Claim, claimGeneration } from '../generation/claim.ts';
import { isTimestamp } from '../generation/documents.ts';
import type { HeldGeneration } from '../generation/held-generation.ts';
import { type AttemptOptions, runAttempt, type StoredJobInput } from './attempt.ts';
import { withdrawalCode } from './withdrawal.ts';

/** What a stored job needs. */
export interface StoredJobOptions extends Omit<AttemptOptions, 'held'> {
  firestore: Firestore;
  policy: TransitionPolicy;
  jobId: string;
  /** This worker's. */
  podId: string;
}

/**
 * @returns the output of the attempt that completed the generation, here or elsewhere
 * @throws JobError with the document's `error_code`, or the signal's reason
 */
export async function runStoredJob(options: StoredJobOptions): Promise<JobOutput> {
  const { input, jobId, seed, signal } = options;
  const startedAtMs = performance.now();
  while (true) {
    const claim = await claimGeneration({
      ...options,
      generation: newGeneration(input, seed),
      runpodId: jobId,
    });
    if (claim.kind !== 'held') return outputOf(claim, input);
    const held = claim.generation;
    const logger = withFields(options.logger, { attempt: held.attempt });
    try {
      const data = await runAttempt({ ...options, held, logger });
      if (data) return completedOutput(input, held.attempt, data);
    } catch (error) {
      const code = withdrawalCode(mediaTypeOf(input.task), performance.now() - startedAtMs);
      if (signal.aborted) await giveUp(held, signal, code, logger);
      else await endAttempt(held, error, logger);
    }
    signal.throwIfAborted();
    // Still here: the engine crashed or somebody else ended the generation. The next claim finds out what comes next.
  }
}

/** What the document and its record are made of where RunPod was called directly. */
function newGeneration(input: StoredJobInput, seed: number): NewGeneration {
  const { userId, fileUid, task, request } = input;
  return {
    path: generationPath(userId, mediaTypeOf(task), fileUid),
    userId,
    fileUid,
    task,
    requestData: request,
    promptWords: promptWords(request.prompt),
    parent: null,
    input: createJobInput(request, { userId, fileUid, seed }),
  };
}

/** @throws JobError when the failure was final and written; returns when another claim should tell */
async function endAttempt(held: HeldGeneration, error: unknown, logger: Logger): Promise<void> {
  if (held.lost.aborted || isSuperseded(error)) return;
  if (error instanceof EngineCrashedError) {
    logger.warn({}, `${error.message} The attempt is given up.`);
    await held.release();
    return;
  }
  const failure = failureOf(error);
  logger.error({ code: failure.code }, `The attempt failed: ${describeThrown(error)}`);
  if ((await held.fail(failure.code, failure.message)) === 'superseded') return;
  throw new JobError(failure.message, failure);
}

/**
 * The job was stopped. When our function cancelled it, the document has ended already. A worker that shuts down gives
 * the lease back. Anything else (RunPod's time limit, its console) is told to the user, who would wait for ever.
 */
async function giveUp(
  held: HeldGeneration,
  { reason }: AbortSignal,
  code: ErrorCode,
  logger: Logger,
): Promise<void> {
  try {
    if (reason instanceof RunpodError && reason.code === 'worker_shutdown') {
      await held.release();
    } else {
      await held.fail(code, ERROR_CODES[code].sentence);
    }
  } catch (error) {
    logger.error({}, `The stopped attempt could not be ended: ${describeThrown(error)}`);
  }
}

/** What RunPod is told about a generation that this job did not hold to its end. */
function outputOf(claim: Exclude<Claim, { kind: 'held' }>, input: StoredJobInput): JobOutput {
  if (claim.kind === 'deleted') throw new JobError('The generation was deleted.', { code: 'cancelled' });
  if (claim.kind === 'file-uid-taken') {
    const message = `file_uid: "${input.fileUid}" is not allowed; expected an id that no other generation has.`;
    throw new JobError(message, { code: 'invalid_argument' });
  }
  const generation = parseGeneration(claim.stored, isTimestamp);
  if (generation?.status === 'completed') {
    const data = generation.generation_data as GenerationData;
    return completedOutput(input, generation.job?.attempt ?? null, data);
  }
  const code = generation?.status === 'failed' ? generation.error_code : 'internal';
  const message = generation?.status === 'failed' ? generation.error : ERROR_CODES[code].sentence;
  throw new JobError(message, { code, retryable: ERROR_CODES[code].retryable });
}

function completedOutput(input: StoredJobInput, attempt: number | null, data: GenerationData): JobOutput {
  return {
    status: 'completed',
    file_uid: input.fileUid,
    user_id: input.userId,
    media_type: mediaTypeOf(input.task),
    attempt,
    generation_data: data,
  };
}
