/** What a transaction has read of one generation, reduced to what the transition function needs. */
import { z } from 'zod';
import { STATUSES, type Status } from './document.ts';
import { LEASE_SECONDS } from './limits.ts';

/** The part of a generation's document that decides. */
export interface SeenDocument {
  readonly status: Status;
  readonly job: { readonly id: string | null; readonly attempt: number } | null;
}

/** The part of a job record that decides. Times in epoch milliseconds. */
export interface SeenRecord {
  readonly path: string;
  readonly attempt: number;
  readonly runpodId: string | null;
  /** Null while nobody has claimed this attempt. */
  readonly workerId: string | null;
  /** Null where the lease was given back. */
  readonly leaseRenewedAtMs: number | null;
  readonly leaseSeconds: number;
  readonly dueAtMs: number;
}

/** All that a writer reads in one transaction. */
export interface Seen {
  /** The snapshots' `readTime`: the only clock that is believed. */
  readonly nowMs: number;
  readonly document: SeenDocument | null;
  readonly record: SeenRecord | null;
  readonly tombstone: boolean;
}

const documentSchema = z.object({
  // A status that we do not know was written by others: the next writer brings it back to one of the four.
  status: z.enum(STATUSES).catch('queued'),
  job: z
    .object({ id: z.string().nullable().catch(null), attempt: z.int().min(1).catch(1) })
    .nullable()
    .catch(null),
});

const recordSchema = z.object({
  path: z.string().catch(''),
  attempt: z.int().min(1).catch(1),
  runpod_id: z.string().nullable().catch(null),
  worker_id: z.string().nullable().catch(null),
  lease_renewed_at: z.unknown().optional(),
  lease_seconds: z.number().catch(LEASE_SECONDS),
  due_at: z.unknown().optional(),
});

/**
 * Reads the three snapshots of a transaction: each the data of an existing document, or null (or undefined) where there
 * is none. `toMillis` turns the SDK's timestamps into epoch milliseconds and anything else into null.
 */
export function readSeen(
  snapshots: { nowMs: number; document: unknown; record: unknown; tombstone: unknown },
  toMillis: (value: unknown) => number | null,
): Seen {
  const document = documentSchema.safeParse(snapshots.document);
  const record = recordSchema.safeParse(snapshots.record);
  return {
    nowMs: snapshots.nowMs,
    tombstone: (snapshots.tombstone ?? null) !== null,
    document: document.success ? document.data : null,
    record: record.success
      ? {
          path: record.data.path,
          attempt: record.data.attempt,
          runpodId: record.data.runpod_id,
          workerId: record.data.worker_id,
          leaseRenewedAtMs: toMillis(record.data.lease_renewed_at),
          leaseSeconds: record.data.lease_seconds,
          dueAtMs: toMillis(record.data.due_at) ?? 0,
        }
      : null,
  };
}

/** Whether the holder of a record has been silent for longer than its lease and `graceMs`. */
export function isLapsed(record: SeenRecord, nowMs: number, graceMs: number): boolean {
  if (record.leaseRenewedAtMs === null) return true;
  return nowMs >= record.leaseRenewedAtMs + record.leaseSeconds * 1000 + graceMs;
}

/** Whether this run of a worker still holds the generation: the fence. */
export function isHeldBy(seen: Seen, holder: { attempt: number; workerId: string }): boolean {
  return seen.record?.attempt === holder.attempt && seen.record.workerId === holder.workerId;
}

/** The number of the attempt that is reserved or running; 0 where none ever was. */
export function currentAttempt(seen: Seen): number {
  return seen.record?.attempt ?? seen.document?.job?.attempt ?? 0;
}

/** The number that a new holder takes: the reserved one where nobody has claimed it, else the next. */
export function claimableAttempt(seen: Seen): number {
  const isReserved = seen.record !== null && seen.record.workerId === null;
  return isReserved ? currentAttempt(seen) : currentAttempt(seen) + 1;
}
