/** The transition function: decides, for every writer, what may be written to a generation. Pure; README.md has its table. */
import { isTerminal, type Progress, type TerminalStatus } from './document.ts';
import { ERROR_CODES, type ErrorCode } from './error-codes.ts';
import * as limits from './limits.ts';
import {
  claimableAttempt,
  currentAttempt,
  isHeldBy,
  isLapsed,
  type Seen,
  type SeenDocument,
} from './seen-state.ts';
import type { NewGeneration, Writes } from './transition-writes.ts';
import * as writes from './transition-writes.ts';

/** Who asks: the fence of a worker's run. */
interface Holder {
  readonly attempt: number;
  /** One id for each run of a job, never used again: a restarted worker is another holder. */
  readonly workerId: string;
}

/** What somebody wants to do. */
export type TransitionEvent =
  /** Function: a user asked for a generation. */
  | { readonly type: 'submit'; readonly generation: NewGeneration }
  /** Function, sweep: RunPod took the job of this attempt; it may wait in the queue for `queueMs`. */
  | {
      readonly type: 'dispatched';
      readonly attempt: number;
      readonly runpodId: string;
      readonly queueMs: number;
    }
  /** Function, sweep: RunPod did not take it. */
  | { readonly type: 'dispatch-refused'; readonly attempt: number; readonly error: string }
  /** Worker: a job was delivered. */
  | {
      readonly type: 'claim';
      readonly workerId: string;
      readonly runpodId: string;
      readonly generation: NewGeneration;
      readonly progress: Progress;
    }
  /** Worker: the job's input is bad, so it is refused without a claim. */
  | { readonly type: 'refuse'; readonly errorCode: ErrorCode; readonly error: string }
  /** Worker: a step was made (also asked again after a failed precondition). */
  | ({ readonly type: 'progress'; readonly progress: Progress; readonly preview: string | null } & Holder)
  | ({ readonly type: 'complete'; readonly generationData: Readonly<Record<string, unknown>> } & Holder)
  | ({ readonly type: 'fail'; readonly errorCode: ErrorCode; readonly error: string } & Holder)
  /** Worker: it is told to stop and gives the job back. */
  | ({ readonly type: 'release' } & Holder)
  /** Function: the user no longer wants it. */
  | { readonly type: 'cancel' }
  /** Webhook: RunPod's `/status` says that the job ended without a result. `attempt` is the webhook URL's. */
  | {
      readonly type: 'job-failed';
      readonly runpodId: string;
      readonly attempt: number;
      readonly outcome: 'FAILED' | 'TIMED_OUT' | 'CANCELLED';
    }
  /** Webhook: RunPod has an output; `attempt` is the one that made it. */
  | {
      readonly type: 'job-completed';
      readonly attempt: number;
      readonly generationData: Readonly<Record<string, unknown>>;
    }
  /** Sweep: a record is due. */
  | { readonly type: 'sweep' }
  /** Function: the user deletes the generation. */
  | { readonly type: 'remove' };

/** What has to be done after the transaction: effects have no place in one, because it may run again. */
export type Effect =
  | { readonly type: 'dispatch'; readonly attempt: number }
  | { readonly type: 'cancel-job'; readonly runpodId: string };

/** What the writer has to do. */
export type Decision =
  /** Write all of these in the transaction, then do `after`. `attempt` is the current one from now on. */
  | ({ readonly kind: 'write'; readonly attempt: number | null; readonly after: Effect | null } & Writes)
  /** Somebody else holds it: write nothing, read again after `retryAfterMs`. */
  | { readonly kind: 'wait'; readonly retryAfterMs: number }
  /** It has ended: write nothing and answer with the stored document. */
  | { readonly kind: 'settled'; readonly status: TerminalStatus; readonly after: Effect | null }
  /** Write nothing and stop. `superseded`: another attempt goes on; `deleted`: nobody wants it any more. */
  | { readonly kind: 'stop'; readonly reason: 'superseded' | 'deleted' }
  /** It cannot be meant: `exists` already, `not_found`, or the `file_uid_taken` by a generation elsewhere. */
  | { readonly kind: 'conflict'; readonly reason: 'exists' | 'not_found' | 'file_uid_taken' };

/** The numbers behind the decisions; apps may set them from their environment. */
export interface TransitionPolicy {
  readonly attemptsMax: number;
  readonly leaseSeconds: number;
  readonly claimRetryMs: number;
  readonly dispatchDueMs: number;
  readonly sweepGraceMs: number;
}

/** The contract's own numbers. */
export const DEFAULT_POLICY: TransitionPolicy = {
  attemptsMax: limits.ATTEMPTS_MAX,
  leaseSeconds: limits.LEASE_SECONDS,
  claimRetryMs: limits.CLAIM_RETRY_MS,
  dispatchDueMs: limits.DISPATCH_DUE_SECONDS * 1000,
  sweepGraceMs: limits.SWEEP_GRACE_SECONDS * 1000,
};

/** What was read of a generation that has a document which has not ended. */
type OpenSeen = Seen & { readonly document: SeenDocument };
type EventOf<Type extends TransitionEvent['type']> = Extract<TransitionEvent, { type: Type }>;

const SUPERSEDED: Decision = { kind: 'stop', reason: 'superseded' };

/** Decides on one event in the state that a transaction has read. Never throws, never looks at a clock. */
export function decide(
  seen: Seen,
  event: TransitionEvent,
  policy: TransitionPolicy = DEFAULT_POLICY,
): Decision {
  const { document, tombstone } = seen;
  if (event.type === 'sweep' && isLeftBehind(seen)) return write(writes.dropping(), null);
  if (tombstone) return { kind: 'stop', reason: 'deleted' };
  if (event.type === 'submit') return submit(seen, event, policy);
  if (event.type === 'claim') return claim(seen, event, policy);
  if (document === null) return { kind: 'conflict', reason: 'not_found' };
  if (event.type === 'remove') return write(writes.removing(seen), null, cancelJob(seen));
  if (isTerminal(document.status)) {
    // Who hears that RunPod took a job after its generation has ended takes it back.
    const after: Effect | null =
      event.type === 'dispatched' ? { type: 'cancel-job', runpodId: event.runpodId } : null;
    return { kind: 'settled', status: document.status, after };
  }
  return decideOpen({ ...seen, document }, event, policy);
}

function decideOpen(
  seen: OpenSeen,
  event: Exclude<TransitionEvent, { type: 'submit' | 'claim' | 'remove' }>,
  policy: TransitionPolicy,
): Decision {
  switch (event.type) {
    case 'dispatched':
      return dispatched(seen, event);
    case 'dispatch-refused':
      if (currentAttempt(seen) !== event.attempt) return SUPERSEDED;
      return failUnclaimed(seen, 'dispatch_failed', event.error);
    case 'refuse':
      return failUnclaimed(seen, event.errorCode, event.error);
    case 'progress':
      return isHeldBy(seen, event) ? write(writes.progressing(event), event.attempt) : SUPERSEDED;
    case 'complete':
      return isHeldBy(seen, event)
        ? write(writes.completing(event.generationData), event.attempt)
        : SUPERSEDED;
    case 'fail':
      return isHeldBy(seen, event) ? fail(seen, event.errorCode, event.error) : SUPERSEDED;
    case 'release':
      return isHeldBy(seen, event) ? write(writes.releasing(), event.attempt) : SUPERSEDED;
    case 'cancel':
      return fail(seen, 'cancelled', ERROR_CODES.cancelled.sentence, cancelJob(seen));
    case 'job-failed':
      return jobFailed(seen, event, policy);
    case 'job-completed':
      return jobCompleted(seen, event);
    case 'sweep':
      return sweep(seen, policy);
  }
}

function submit(seen: Seen, event: EventOf<'submit'>, policy: TransitionPolicy): Decision {
  if (seen.document !== null || seen.record !== null) return { kind: 'conflict', reason: 'exists' };
  const dueAtMs = seen.nowMs + policy.dispatchDueMs;
  return write(writes.creating(event.generation, policy.leaseSeconds, dueAtMs), 1);
}

function claim(seen: Seen, event: EventOf<'claim'>, policy: TransitionPolicy): Decision {
  const { document, record } = seen;
  if (record !== null && record.path !== event.generation.path) {
    return { kind: 'conflict', reason: 'file_uid_taken' };
  }
  if (document !== null && isTerminal(document.status)) {
    return { kind: 'settled', status: document.status, after: null };
  }
  // A claim whose answer was lost is asked again: it is the same holder, not the next one.
  const isAskedAgain = record !== null && record.workerId === event.workerId;
  const isHeld = record !== null && record.workerId !== null && !isLapsed(record, seen.nowMs, 0);
  if (isHeld && !isAskedAgain) return { kind: 'wait', retryAfterMs: policy.claimRetryMs };

  const attempt = isAskedAgain ? record.attempt : claimableAttempt(seen);
  if (attempt > policy.attemptsMax) {
    if (document === null) return { kind: 'conflict', reason: 'not_found' };
    return fail({ ...seen, document }, 'worker_lost', ERROR_CODES.worker_lost.sentence);
  }
  const dueAtMs = seen.nowMs + policy.leaseSeconds * 1000 + policy.sweepGraceMs;
  return write(writes.granting(seen, event, { attempt, seconds: policy.leaseSeconds, dueAtMs }), attempt);
}

/** The function's note of RunPod's id; the worker may have claimed first, and then its own note stands. */
function dispatched(seen: OpenSeen, event: EventOf<'dispatched'>): Decision {
  const isNoted = seen.record === null || seen.record.runpodId !== null || seen.record.workerId !== null;
  if (isNoted || currentAttempt(seen) !== event.attempt) return SUPERSEDED;
  return write(writes.marking(event.runpodId, event.attempt, seen.nowMs + event.queueMs), event.attempt);
}

/** For those who hold no attempt: a generation that a worker is painting is not theirs to fail. */
function failUnclaimed(seen: OpenSeen, errorCode: ErrorCode, error: string): Decision {
  if (seen.record !== null && seen.record.workerId !== null) return SUPERSEDED;
  return fail(seen, errorCode, error);
}

function jobFailed(seen: OpenSeen, event: EventOf<'job-failed'>, policy: TransitionPolicy): Decision {
  if (seen.record === null) return SUPERSEDED;
  const { runpodId, attempt } = seen.record;
  // RunPod delivers one job several times, so its id says more than the attempt in the webhook's address.
  const isCurrent = runpodId === event.runpodId || (runpodId === null && attempt === event.attempt);
  if (!isCurrent) return SUPERSEDED;
  if (event.outcome === 'TIMED_OUT') return fail(seen, 'timeout', ERROR_CODES.timeout.sentence);
  if (event.outcome === 'CANCELLED') return fail(seen, 'cancelled', ERROR_CODES.cancelled.sentence);
  return dispatchAgain(seen, 'worker_lost', policy);
}

function jobCompleted(seen: OpenSeen, event: EventOf<'job-completed'>): Decision {
  const { record } = seen;
  if (record === null || record.workerId === null || record.attempt !== event.attempt) return SUPERSEDED;
  return write(writes.completing(event.generationData), event.attempt);
}

function sweep(seen: OpenSeen, policy: TransitionPolicy): Decision {
  const { record, nowMs } = seen;
  if (record === null) return SUPERSEDED;
  const isDue =
    record.workerId === null ? nowMs >= record.dueAtMs : isLapsed(record, nowMs, policy.sweepGraceMs);
  if (!isDue) return { kind: 'wait', retryAfterMs: limits.SWEEP_INTERVAL_SECONDS * 1000 };
  const neverReachedRunpod = record.workerId === null && record.runpodId === null;
  return dispatchAgain(seen, neverReachedRunpod ? 'dispatch_failed' : 'worker_lost', policy);
}

/** Reserves the next attempt for a new job, or fails where there were enough. */
function dispatchAgain(seen: OpenSeen, exhausted: ErrorCode, policy: TransitionPolicy): Decision {
  const attempt = currentAttempt(seen) + 1;
  if (attempt > policy.attemptsMax) return fail(seen, exhausted, ERROR_CODES[exhausted].sentence);
  const dueAtMs = seen.nowMs + policy.dispatchDueMs;
  return write(writes.reserving(attempt, dueAtMs), attempt, { type: 'dispatch', attempt });
}

function fail(seen: OpenSeen, errorCode: ErrorCode, error: string, after: Effect | null = null): Decision {
  return write(writes.failing(seen, errorCode, error), currentAttempt(seen), after);
}

function write(changes: Writes, attempt: number | null, after: Effect | null = null): Decision {
  return { kind: 'write', attempt, after, ...changes };
}

/** Whether only a record is left of a generation that ended or was deleted. */
function isLeftBehind(seen: Seen): boolean {
  if (seen.record === null) return false;
  return seen.tombstone || seen.document === null || isTerminal(seen.document.status);
}

function cancelJob(seen: Seen): Effect | null {
  const runpodId = seen.record?.runpodId ?? seen.document?.job?.id ?? null;
  return runpodId === null ? null : { type: 'cancel-job', runpodId };
}
