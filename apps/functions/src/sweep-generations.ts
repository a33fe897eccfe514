/** Looks at the job records that are due and mends what functions, workers and RunPod left behind. */
import { COLLECTIONS } from '@firepod/contract';
import { RunpodError } from '@firepod/runpod/client';
import { type QueryDocumentSnapshot, Timestamp } from 'firebase-admin/firestore';
import type { FunctionContext } from './function-context.ts';
import type { GenerationLocation } from './generation-store.ts';
import { performEffect } from './job-dispatch.ts';
import { settleJob } from './job-settlement.ts';
import { describeThrown, log } from './log.ts';

const PAGE_RECORDS = 50;

/** How many records were due, and of how many something was written. */
export interface SweepResult {
  readonly due: number;
  readonly mended: number;
}

/**
 * Decides anew on each record whose time has come. `nowMs` (this machine's clock) only chooses which records to look at;
 * what is decided about one follows the database's time.
 */
export async function sweepGenerations(context: FunctionContext, nowMs: number): Promise<SweepResult> {
  const dueRecords = context.store.firestore
    .collection(COLLECTIONS.jobs)
    .where('due_at', '<=', Timestamp.fromMillis(nowMs))
    .orderBy('due_at')
    .limit(PAGE_RECORDS);
  let due = 0;
  let mended = 0;
  let page = await dueRecords.get();
  while (page.docs.length > 0) {
    const outcomes = await Promise.all(page.docs.map((record) => sweepRecord(context, record)));
    due += outcomes.length;
    mended += outcomes.filter(Boolean).length;
    page = await dueRecords.startAfter(page.docs.at(-1)!).get();
  }
  if (due > 0) log.info({ due, mended }, 'The due jobs were swept.');
  return { due, mended };
}

/** Whether something was written. One record that cannot be mended must not keep the others from it. */
async function sweepRecord(context: FunctionContext, record: QueryDocumentSnapshot): Promise<boolean> {
  const location = { path: String(record.get('path')), fileUid: record.id };
  try {
    if (await isSettledByRunpod(context, location, record)) return true;
    const result = await context.store.transition(location, { type: 'sweep' });
    await performEffect(context, location, result);
    return result.decision.kind === 'write';
  } catch (thrown) {
    const error = describeThrown(thrown);
    log.error(
      { fileUid: location.fileUid, error },
      'A due job could not be swept; the next sweep tries again.',
    );
    return false;
  }
}

/** The webhook may never have come. What RunPod says of an ended job is the better end; else the lease decides. */
async function isSettledByRunpod(
  context: FunctionContext,
  location: GenerationLocation,
  record: QueryDocumentSnapshot,
): Promise<boolean> {
  const { runpod_id: runpodId, attempt } = record.data();
  if (typeof runpodId !== 'string' || typeof attempt !== 'number') return false;
  try {
    return (await settleJob(context, location, { runpodId, attempt })) === 'settled';
  } catch (thrown) {
    if (!(thrown instanceof RunpodError)) throw thrown;
    const { fileUid } = location;
    log.warn({ fileUid, runpodId, code: thrown.code }, 'RunPod could not be asked about a due job.');
    return false;
  }
}
