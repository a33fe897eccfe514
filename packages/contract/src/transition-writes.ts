/** The writes of each transition as plain data, which the apps turn into their SDK's calls. */

import type { Progress } from './document.ts';
import type { ErrorCode } from './error-codes.ts';
import { CONTRACT_VERSION, TOMBSTONE_TTL_SECONDS } from './limits.ts';
import type { TaskType } from './paths.ts';
import type { Seen } from './seen-state.ts';

/** One write to one Firestore document. Field names are top-level; maps are replaced whole. */
export interface Write {
  /** `create` fails where the document exists, `update` where it does not. */
  readonly op: 'create' | 'update' | 'delete';
  readonly set: Readonly<Record<string, unknown>>;
  /** Fields whose value is a timestamp, in epoch milliseconds. */
  readonly times: Readonly<Record<string, number>>;
  /** Fields that become `FieldValue.serverTimestamp()`. */
  readonly serverTimestamp: readonly string[];
  /** Fields that become `FieldValue.delete()`. */
  readonly remove: readonly string[];
}

/** What one decision writes, all of it in one commit. */
export interface Writes {
  readonly document: Write | null;
  readonly record: Write | null;
  readonly tombstone: Write | null;
}

/** What a document and its record are made of when they do not exist yet. */
export interface NewGeneration {
  readonly path: string;
  readonly userId: string;
  readonly fileUid: string;
  readonly task: TaskType;
  readonly requestData: Readonly<Record<string, unknown>>;
  readonly promptWords: readonly string[];
  readonly parent: string | null;
  /** The job's input, kept in the record to dispatch it again. */
  readonly input: Readonly<Record<string, unknown>>;
}

const NOTHING: Writes = { document: null, record: null, tombstone: null };
const DELETE = toWrite('delete', {});

function toWrite(op: Write['op'], parts: Partial<Omit<Write, 'op'>>): Write {
  return { op, set: {}, times: {}, serverTimestamp: [], remove: [], ...parts };
}

function documentFields(generation: NewGeneration) {
  return {
    user_id: generation.userId,
    file_uid: generation.fileUid,
    task_type: generation.task,
    request_data: generation.requestData,
    prompt_words: generation.promptWords,
    ...(generation.parent === null ? {} : { parent: generation.parent }),
  };
}

function recordFields(generation: NewGeneration) {
  return {
    path: generation.path,
    user_id: generation.userId,
    input: generation.input,
    contract: CONTRACT_VERSION,
  };
}

const UNCLAIMED = { runpod_id: null, worker_id: null, lease_renewed_at: null };

/** ∅ → queued, with attempt 1 reserved for whoever claims first. */
export function creating(generation: NewGeneration, leaseSeconds: number, dueAtMs: number): Writes {
  return {
    ...NOTHING,
    document: toWrite('create', {
      set: { status: 'queued', ...documentFields(generation) },
      serverTimestamp: ['created_at', 'updated_at'],
    }),
    record: toWrite('create', {
      set: { ...recordFields(generation), attempt: 1, ...UNCLAIMED, lease_seconds: leaseSeconds },
      times: { due_at: dueAtMs },
    }),
  };
}

/** RunPod's id of the reserved attempt's job. */
export function marking(runpodId: string, attempt: number, dueAtMs: number): Writes {
  return {
    ...NOTHING,
    document: toWrite('update', { set: { job: { id: runpodId, attempt } }, serverTimestamp: ['updated_at'] }),
    record: toWrite('update', { set: { runpod_id: runpodId }, times: { due_at: dueAtMs } }),
  };
}

/** ∅ | queued | processing → processing, held by one run of a worker. */
export function granting(
  seen: Seen,
  claim: { workerId: string; runpodId: string; generation: NewGeneration; progress: Progress },
  lease: { attempt: number; seconds: number; dueAtMs: number },
): Writes {
  const { generation } = claim;
  const held = {
    status: 'processing',
    job: { id: claim.runpodId, attempt: lease.attempt },
    progress: claim.progress,
  };
  const isFirstStart = seen.document?.status !== 'processing';
  const started = isFirstStart ? ['updated_at', 'started_at'] : ['updated_at'];
  const document =
    seen.document === null
      ? toWrite('create', {
          set: { ...documentFields(generation), ...held },
          serverTimestamp: ['created_at', ...started],
        })
      : toWrite('update', {
          // A document that others made may lack these three.
          set: {
            ...held,
            user_id: generation.userId,
            file_uid: generation.fileUid,
            task_type: generation.task,
          },
          serverTimestamp: started,
          remove: ['preview'],
        });
  const record = toWrite(seen.record === null ? 'create' : 'update', {
    set: {
      ...(seen.record === null ? recordFields(generation) : {}),
      attempt: lease.attempt,
      runpod_id: claim.runpodId,
      worker_id: claim.workerId,
      lease_seconds: lease.seconds,
    },
    times: { due_at: lease.dueAtMs },
    serverTimestamp: ['lease_renewed_at'],
  });
  return { ...NOTHING, document, record };
}

/**
 * processing → processing: a step was made and the lease renewed. A holder also writes this outside a transaction, both
 * parts in one batch, with `lastUpdateTime` on the document. What is null has no news and stays as it is.
 */
export function progressing({
  progress,
  preview,
}: {
  progress: Progress | null;
  preview: string | null;
}): Writes {
  return {
    ...NOTHING,
    document: toWrite('update', {
      set: { ...(progress === null ? {} : { progress }), ...(preview === null ? {} : { preview }) },
      serverTimestamp: ['updated_at'],
    }),
    record: toWrite('update', { serverTimestamp: ['lease_renewed_at'] }),
  };
}

/** The lease ends now, so that the next claim need not wait. The document is touched to fence the old holder. */
export function releasing(): Writes {
  return {
    ...NOTHING,
    document: toWrite('update', { serverTimestamp: ['updated_at'] }),
    record: toWrite('update', { set: { lease_renewed_at: null } }),
  };
}

/** The next attempt is reserved for a job that will be dispatched; the old holder is fenced. */
export function reserving(attempt: number, dueAtMs: number): Writes {
  return {
    ...NOTHING,
    document: toWrite('update', { set: { job: { id: null, attempt } }, serverTimestamp: ['updated_at'] }),
    record: toWrite('update', { set: { attempt, ...UNCLAIMED }, times: { due_at: dueAtMs } }),
  };
}

/** processing → completed. */
export function completing(generationData: Readonly<Record<string, unknown>>): Writes {
  return {
    ...NOTHING,
    document: toWrite('update', {
      set: { status: 'completed', generated: true, generation_data: generationData },
      serverTimestamp: ['modified', 'completed_at', 'updated_at'],
      remove: ['progress', 'preview'],
    }),
    record: DELETE,
  };
}

/** queued | processing → failed. */
export function failing(seen: Seen, errorCode: ErrorCode, error: string): Writes {
  return {
    ...NOTHING,
    document: toWrite('update', {
      set: { status: 'failed', error, error_code: errorCode },
      serverTimestamp: ['completed_at', 'updated_at'],
      remove: ['progress', 'preview'],
    }),
    record: seen.record === null ? null : DELETE,
  };
}

/** A record that was left behind is dropped. */
export function dropping(): Writes {
  return { ...NOTHING, record: DELETE };
}

/** The generation is deleted, and a tombstone keeps late workers from making it again. */
export function removing(seen: Seen): Writes {
  return {
    document: DELETE,
    record: seen.record === null ? null : DELETE,
    tombstone: toWrite('create', {
      serverTimestamp: ['deleted_at'],
      times: { expire_at: seen.nowMs + TOMBSTONE_TTL_SECONDS * 1000 },
    }),
  };
}
