/** What became of a RunPod job, by `/status`, carried over to its generation. */
import type { TransitionEvent } from '@firepod/contract';
import { type JobEnvelope, RunpodError } from '@firepod/runpod/client';
import { z } from 'zod';
import type { FunctionContext } from './function-context.ts';
import type { GenerationLocation } from './generation-store.ts';
import { performEffect } from './job-dispatch.ts';

/** A job of RunPod, and the attempt that it was sent for. */
export interface RunpodJob {
  readonly runpodId: string;
  readonly attempt: number;
}

/**
 * `settled`: the generation was written; `unchanged`: it had ended, or another job is current; `running`: RunPod has not
 * ended it; `unknown`: RunPod no longer keeps it, which is left to the sweep.
 */
export type SettlementOutcome = 'settled' | 'unchanged' | 'running' | 'unknown';

/** The part of a worker's output that can finish a generation; see the contract's `JobOutput`. */
const outputSchema = z.object({
  file_uid: z.string(),
  attempt: z.int().min(1).nullish(),
  generation_data: z.record(z.string(), z.unknown()),
});

/** @throws {RunpodError} when RunPod cannot be asked */
export async function settleJob(
  context: FunctionContext,
  location: GenerationLocation,
  job: RunpodJob,
): Promise<SettlementOutcome> {
  let envelope: JobEnvelope;
  try {
    envelope = await context.runpod.status(job.runpodId);
  } catch (thrown) {
    if (thrown instanceof RunpodError && thrown.code === 'not_found') return 'unknown';
    throw thrown;
  }
  if (envelope.status === 'IN_QUEUE' || envelope.status === 'IN_PROGRESS') return 'running';
  const event = eventOf(envelope, location, job);
  if (event === null) return 'unchanged';
  const result = await context.store.transition(location, event);
  await performEffect(context, location, result);
  return result.decision.kind === 'write' ? 'settled' : 'unchanged';
}

/** Null where a completed job's output is not this generation's: then its lease lapses and the sweep goes on. */
function eventOf(
  { status, output }: JobEnvelope,
  { fileUid }: GenerationLocation,
  { runpodId, attempt }: RunpodJob,
): TransitionEvent | null {
  if (status === 'FAILED' || status === 'TIMED_OUT' || status === 'CANCELLED') {
    return { type: 'job-failed', runpodId, attempt, outcome: status };
  }
  const parsed = outputSchema.safeParse(output);
  if (!parsed.success || parsed.data.file_uid !== fileUid) return null;
  const { attempt: attemptOfOutput, generation_data: generationData } = parsed.data;
  return { type: 'job-completed', attempt: attemptOfOutput ?? attempt, generationData };
}
