/** Hands jobs to RunPod and takes them back: the effects that decisions ask for, after their transactions. */
import { EXECUTION_TIMEOUT_MS, JOB_TTL_MS, type MediaType, parseGenerationPath } from '@firepod/contract';
import { type JobEnvelope, RunpodError } from '@firepod/runpod/client';
import { FirepodFunctionsError } from './errors.ts';
import type { FunctionContext } from './function-context.ts';
import type { GenerationLocation, TransitionResult } from './generation-store.ts';
import { describeThrown, log } from './log.ts';
import { webhookUrl } from './webhook-token.ts';

/** One attempt of a generation that waits to be sent. */
export interface PendingJob extends GenerationLocation {
  /** From 1. */
  readonly attempt: number;
  readonly input: unknown;
}

/** The shortest wait that RunPod allows: the job is accepted long before its result. */
const RUNSYNC_WAIT_MS = 1000;
/** For all attempts of a call together: a callable ends after 60 seconds, and RunPod may ask to wait as long. */
const DISPATCH_TIMEOUT_MS = 25_000;
/** A person waits for it, and the generation is already cancelled. */
const CANCEL_TIMEOUT_MS = 5000;

/**
 * Sends a job and notes RunPod's id of it.
 *
 * @throws {FirepodFunctionsError} `dispatch_failed` when RunPod did not take it; the document is left as it was
 */
export async function dispatchJob(context: FunctionContext, job: PendingJob): Promise<void> {
  const { fileUid, attempt } = job;
  const mediaType = parseGenerationPath(job.path)?.mediaType ?? 'image';
  let envelope: JobEnvelope;
  try {
    envelope = await send(context, job, mediaType);
  } catch (thrown) {
    if (!(thrown instanceof RunpodError)) throw thrown;
    const { code, httpStatus } = thrown;
    log.error({ fileUid, attempt, code, httpStatus }, 'RunPod did not take the job.');
    throw new FirepodFunctionsError('dispatch_failed', refusalSentence(thrown), {
      details: { file_uid: fileUid },
      cause: thrown,
    });
  }
  log.info({ fileUid, attempt, runpodId: envelope.id }, 'RunPod took the job.');
  const event = {
    type: 'dispatched',
    attempt,
    runpodId: envelope.id,
    queueMs: JOB_TTL_MS[mediaType],
  } as const;
  try {
    await performEffect(context, job, await context.store.transition(job, event));
  } catch (thrown) {
    const error = describeThrown(thrown);
    // The job runs and its worker notes the id itself when it claims; else the sweep sends it again and one claim wins.
    log.error(
      { fileUid, attempt, runpodId: envelope.id, error },
      "RunPod's id of the job could not be noted.",
    );
  }
}

function send(context: FunctionContext, job: PendingJob, mediaType: MediaType): Promise<JobEnvelope> {
  const { settings, runpod } = context;
  const options = {
    signal: AbortSignal.timeout(DISPATCH_TIMEOUT_MS),
    webhook: webhookUrl(settings.webhook.url, settings.webhook.secret, job),
    policy: { executionTimeout: EXECUTION_TIMEOUT_MS[mediaType], ttl: JOB_TTL_MS[mediaType] },
  };
  return settings.dispatch === 'run'
    ? runpod.run(job.input, options)
    : runpod.runSync(job.input, { ...options, waitMs: RUNSYNC_WAIT_MS });
}

/**
 * Does what a decision asks for. A job that cannot be sent now is left to the sweep, which counts its attempts; one that
 * cannot be cancelled is stopped by the fence at its worker's next write.
 */
export async function performEffect(
  context: FunctionContext,
  location: GenerationLocation,
  { decision, record }: TransitionResult,
): Promise<void> {
  if (decision.kind !== 'write' && decision.kind !== 'settled') return;
  const effect = decision.after;
  if (effect === null) return;
  const { path, fileUid } = location;
  switch (effect.type) {
    case 'dispatch':
      try {
        await dispatchJob(context, { path, fileUid, attempt: effect.attempt, input: record?.['input'] });
      } catch (thrown) {
        if (!(thrown instanceof FirepodFunctionsError)) throw thrown;
        log.warn({ fileUid, attempt: effect.attempt }, 'The next attempt waits for the sweep to be sent.');
      }
      return;
    case 'cancel-job':
      try {
        await context.runpod.cancel(effect.runpodId, { signal: AbortSignal.timeout(CANCEL_TIMEOUT_MS) });
      } catch (thrown) {
        if (!(thrown instanceof RunpodError)) throw thrown;
        log.warn({ fileUid, runpodId: effect.runpodId, code: thrown.code }, 'RunPod did not cancel the job.');
      }
  }
}

/** For the caller and the document: what to do about it, without RunPod's own words (they may quote the request). */
function refusalSentence(error: RunpodError): string {
  switch (error.code) {
    case 'unauthorized':
      return 'The GPU service refused our key. The operator of this app has to check RUNPOD_API_KEY.';
    case 'not_found':
      return 'The GPU service does not know our endpoint. The operator of this app has to check RUNPOD_ENDPOINT_ID.';
    case 'rate_limited':
      return 'The GPU service has too many requests at the moment. Please try again in a minute.';
    case 'bad_request':
    case 'payload_too_large':
      return 'The GPU service refused the request. It may be too large: send large images as uploaded sources.';
    default:
      return 'The GPU service cannot be reached at the moment. Please try again.';
  }
}
