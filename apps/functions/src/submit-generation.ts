/** A user asks for a generation: check, write the queued document once, hand the job to RunPod. */
import { randomInt, randomUUID } from 'node:crypto';
import {
  createJobInput,
  type GenerationReference,
  generationPath,
  generationReference,
  isUserId,
  LIMITS_PATH,
  mediaTypeOf,
  parseSubmission,
  projectLimitsSchema,
  promptWords,
  REQUEST_RECORD_TTL_SECONDS,
  requestRecordPath,
  resolveRequest,
  SEED_MAX,
  type Submission,
} from '@firepod/contract';
import { Timestamp } from 'firebase-admin/firestore';
import { FirepodFunctionsError, invalidArgument } from './errors.ts';
import type { FunctionContext } from './function-context.ts';
import type { GenerationStore } from './generation-store.ts';
import { dispatchJob, type PendingJob } from './job-dispatch.ts';
import { log } from './log.ts';
import { readModelCard } from './model-card.ts';
import { checkQuota, countUsage } from './quota.ts';

/**
 * Accepts what a signed-in user sent and says where to listen. A `request_id` that was seen before gives the generation that it made, whatever
 * became of it.
 *
 * @throws {FirepodFunctionsError} `invalid_argument`, `quota_exceeded` (both: nothing was written) or `dispatch_failed`
 * (the document is `failed`, too)
 */
export async function submitGeneration(
  context: FunctionContext,
  userId: string,
  data: unknown,
): Promise<GenerationReference> {
  if (!isUserId(userId)) {
    const message = 'user_id: this account has an id that cannot be a folder name; expected one without "/".';
    throw invalidArgument([{ field: 'user_id', message }]);
  }
  const submission = parseSubmission(data, { userId, ...context.settings.sources });
  if (!submission.ok) throw invalidArgument(submission.problems);
  const seed = randomInt(SEED_MAX + 1);
  const card = await readModelCard(context.store.firestore, context.settings.modelIds, submission.task);
  const resolved = resolveRequest(submission, card, { seed });
  if (!resolved.ok) throw invalidArgument(resolved.problems);

  const job = newJob(submission, userId, seed);
  const existingPath = await reserve(context.store, job, submission, userId);
  if (existingPath !== null) return referenceTo(existingPath);
  log.info({ fileUid: job.fileUid, userId, task: submission.task }, 'A generation is queued.');
  await dispatchOrFail(context, job);
  return referenceTo(job.path);
}

function newJob(submission: Submission, userId: string, seed: number): PendingJob {
  const fileUid = randomUUID();
  return {
    path: generationPath(userId, mediaTypeOf(submission.task), fileUid),
    fileUid,
    attempt: 1,
    input: createJobInput(submission.request, { userId, fileUid, seed }),
  };
}

/**
 * One transaction: the document, its job record and the request record are all there, or none. Returns the path of the
 * generation that the same `request_id` made earlier, or null where a new one was written.
 */
function reserve(
  store: GenerationStore,
  job: PendingJob,
  submission: Submission,
  userId: string,
): Promise<string | null> {
  const { firestore } = store;
  const { requestId, request, task } = submission;
  const limitsReference = firestore.doc(LIMITS_PATH);
  const requestReference = requestId === null ? null : firestore.doc(requestRecordPath(userId, requestId));
  return firestore.runTransaction(async (transaction) => {
    const [limits, seen] = await transaction.getAll(
      limitsReference,
      ...(requestReference === null ? [] : [requestReference]),
    );
    if (seen?.exists) return seen.get('path') as string;
    const nowMs = limits!.readTime.toMillis();
    const usage = await countUsage(transaction, firestore, userId, nowMs);
    checkQuota(usage, projectLimitsSchema.parse(limits!.data() ?? {}));
    const { decision } = await store.transitionWithin(transaction, job, {
      type: 'submit',
      generation: {
        path: job.path,
        userId,
        fileUid: job.fileUid,
        task,
        requestData: { ...request },
        promptWords: promptWords(request.prompt),
        parent: null,
        input: job.input as Record<string, unknown>,
      },
    });
    if (decision.kind !== 'write')
      throw new Error(`A new file_uid was not free: ${JSON.stringify(decision)}.`);
    if (requestReference !== null) {
      const expire_at = Timestamp.fromMillis(nowMs + REQUEST_RECORD_TTL_SECONDS * 1000);
      transaction.create(requestReference, { file_uid: job.fileUid, path: job.path, expire_at });
    }
    return null;
  });
}

/** A refused job fails its document, unless its worker has it after all: then only the reply was lost. */
async function dispatchOrFail(context: FunctionContext, job: PendingJob): Promise<void> {
  try {
    await dispatchJob(context, job);
  } catch (thrown) {
    if (!(thrown instanceof FirepodFunctionsError)) throw thrown;
    const { message: error } = thrown;
    const { decision } = await context.store.transition(job, { type: 'dispatch-refused', attempt: 1, error });
    if (decision.kind === 'stop' && decision.reason === 'superseded') return;
    throw thrown;
  }
}

function referenceTo(path: string): GenerationReference {
  const reference = generationReference(path);
  if (reference === null)
    throw new Error(`A request record points to ${JSON.stringify(path)}, which is no generation.`);
  return reference;
}
