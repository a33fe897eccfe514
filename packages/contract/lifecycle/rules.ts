/** The design's rules about a generation's documents, told without the transition function. */
import type { decide, TransitionEvent, TransitionPolicy } from '../src/transition.ts';
import type { Writes } from '../src/transition-writes.ts';
import { afterAWhile, commit, type Database, type Documents } from './database.ts';

/** Which changes of `status` there are; `none` is a document that does not exist. */
const CHANGES: Readonly<Record<string, readonly string[]>> = {
  none: ['queued', 'processing'],
  queued: ['queued', 'processing', 'failed'],
  processing: ['processing', 'completed', 'failed'],
  completed: [],
  failed: [],
};

/** The rule that one write breaks, or null. */
export function faultOfWrite(
  before: Database,
  after: Database,
  writes: Writes,
  event: TransitionEvent,
  policy: TransitionPolicy,
): string | null {
  if (event.type === 'remove') {
    return after.document === null && after.tombstone !== null ? null : 'a deletion leaves something behind';
  }
  const { record: recordBefore, document: documentBefore } = before.seen;
  const { record: recordAfter, document: documentAfter } = after.seen;
  if (writes.document !== null) {
    if (before.tombstone !== null) return 'a deleted generation is written again';
    const [from, to] = [documentBefore?.status ?? 'none', documentAfter?.status ?? 'none'];
    if (!CHANGES[from]?.includes(to)) return `a document goes from ${from} to ${to}`;
    const isOthers =
      'workerId' in event &&
      event.type !== 'claim' &&
      (recordBefore?.workerId !== event.workerId || recordBefore.attempt !== event.attempt);
    if (isOthers) return `a worker that does not hold the generation writes ${event.type}`;
    if (event.type === 'job-completed' && event.attempt !== recordBefore?.attempt) {
      return 'the output of another attempt completes the generation';
    }
  }
  if (recordAfter === null) return null;
  if (recordAfter.attempt > policy.attemptsMax)
    return `attempt ${recordAfter.attempt} of at most ${policy.attemptsMax}`;
  if (recordBefore === null) return null;
  if (recordAfter.attempt < recordBefore.attempt) return 'the attempt goes back';
  const isTakenFromHolder = recordBefore.workerId !== null && recordAfter.workerId !== recordBefore.workerId;
  if (!isTakenFromHolder) return null;
  if (recordAfter.attempt === recordBefore.attempt) return 'two workers have the same attempt';
  if (writes.document === null) return 'the document is not touched, so the old holder is not fenced';
  const isLive = (recordBefore.leaseRenewedAtMs ?? 0) > 0;
  // Only RunPod's word that the job has ended is stronger than a lease.
  return isLive && event.type !== 'job-failed' ? 'a live lease is taken away' : null;
}

/** The rule that a content of the database breaks, whatever led to it, or null. */
export function faultOfDocuments({ document, record, tombstone }: Documents): string | null {
  if (document === null) return null;
  if (tombstone !== null) return 'a document lies beside its tombstone';
  const lacks = (names: readonly string[]) => names.some((name) => document[name] === undefined);
  if (lacks(['file_uid', 'user_id', 'created_at', 'request_data']))
    return 'a document lacks what it always has';
  const { status } = document;
  if (status === 'completed' || status === 'failed') {
    if (record !== null) return 'a job record outlives its generation';
    if ('progress' in document || 'preview' in document) return 'a terminal document has progress';
    const results = ['generated', 'modified', 'generation_data', 'completed_at'];
    const required = status === 'completed' ? results : ['error', 'error_code', 'completed_at'];
    return lacks(required) ? `a ${status} document lacks its results` : null;
  }
  if (status === 'queued') return 'started_at' in document ? 'a queued document has been started' : null;
  if (status !== 'processing') return `there is a fifth status, ${String(status)}`;
  if (record === null) return 'a processing document has no job record';
  return lacks(['started_at', 'progress', 'job', 'task_type'])
    ? 'a processing document lacks its fields'
    : null;
}

/** What must be possible from every content: the user can cancel, and the sweep alone can bring it to an end. */
export function faultOfFuture(
  database: Database,
  decideBy: typeof decide,
  policy: TransitionPolicy,
  toDatabase: (documents: Documents) => Database,
): string | null {
  const status = database.seen.document?.status;
  if (status !== 'queued' && status !== 'processing') return null;
  const cancelled = decideBy(database.seen, { type: 'cancel' }, policy);
  const isCancelled = cancelled.kind === 'write' && cancelled.document?.set['error_code'] === 'cancelled';
  if (!isCancelled) return 'an open generation cannot be cancelled';
  // A document that others made is nobody's but its worker's until that worker has claimed it.
  if (database.record === null) return null;
  let future = database;
  for (let sweeps = 0; sweeps <= policy.attemptsMax; sweeps++) {
    future = toDatabase(afterAWhile(future));
    const decision = decideBy(future.seen, { type: 'sweep' }, policy);
    const written = decision.kind === 'write' ? commit(future, decision) : 'nothing is written';
    if (typeof written === 'string') break;
    future = toDatabase(written);
    if (future.seen.document?.status === 'failed') return null;
  }
  return 'an open generation that everybody has left is never ended by the sweep';
}
