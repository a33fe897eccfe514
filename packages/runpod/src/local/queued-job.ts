/** A job as the queue keeps it: what was submitted, what has become of it, and who has it now. */
import type { JobPolicy, JobStatus } from '../job-status.ts';

/** A job; the fields that change are the queue's to change. */
export interface QueuedJob {
  readonly id: string;
  readonly kind: 'run' | 'runsync';
  readonly input: unknown;
  readonly webhook: string | undefined;
  /** Other top-level keys that travel to the worker, e.g. `s3Config`. */
  readonly extras: Readonly<Record<string, unknown>>;
  readonly executionTimeoutMs: number;
  readonly ttlMs: number;
  /** While it is queued it asks for no worker. */
  readonly lowPriority: boolean;
  /** How long it is kept when it has ended. */
  retentionMs: number;
  /** A retry begins anew. */
  submittedAtMs: number;
  status: JobStatus;
  /** While IN_PROGRESS: who has the job, and when that worker last named it. */
  delivery: { workerId: string; seenAtMs: number } | undefined;
  deliveryCount: number;
  pickedUpAtMs: number | undefined;
  endedAtMs: number | undefined;
  /** Whether its worker posted the end, or it came about otherwise. */
  endedBy: 'worker' | 'platform' | undefined;
  /** The last worker that had the job. */
  workerId: string | undefined;
  output: unknown;
  error: string | undefined;
  /** What its worker has streamed and no client has fetched, oldest first; a new delivery begins a new array. */
  chunks: unknown[];
}

/** What a client submits. */
export interface Submission {
  id: string;
  kind: 'run' | 'runsync';
  input: unknown;
  webhook?: string | undefined;
  policy?: JobPolicy | undefined;
  extras?: Record<string, unknown> | undefined;
  /** When it was submitted, for a job of an earlier process; default now. */
  submittedAtMs?: number | undefined;
}

/** What a worker posts at the end. */
export interface JobResult {
  output?: unknown;
  error?: string | undefined;
}

/** What holds for jobs whose policy says nothing, in milliseconds. */
export interface JobDefaults {
  executionTimeoutMs: number;
  ttlMs: number;
  /** How long ended jobs are kept, by kind. */
  retentionMs: { run: number; runsync: number };
}

/** A job that nobody has taken yet. */
export function queuedJobOf(submission: Submission, defaults: JobDefaults, nowMs: number): QueuedJob {
  const { id, kind, input, webhook, policy, extras, submittedAtMs } = submission;
  return {
    id,
    kind,
    input,
    webhook,
    extras: extras ?? {},
    executionTimeoutMs: policy?.executionTimeout ?? defaults.executionTimeoutMs,
    ttlMs: policy?.ttl ?? defaults.ttlMs,
    lowPriority: policy?.lowPriority ?? false,
    retentionMs: defaults.retentionMs[kind],
    submittedAtMs: submittedAtMs ?? nowMs,
    status: 'IN_QUEUE',
    delivery: undefined,
    deliveryCount: 0,
    pickedUpAtMs: undefined,
    endedAtMs: undefined,
    endedBy: undefined,
    workerId: undefined,
    output: undefined,
    error: undefined,
    chunks: [],
  };
}

/** The job as it was submitted, for a journal. */
export function submissionOf(job: QueuedJob): Submission {
  const { id, kind, input, webhook, extras } = job;
  return {
    id,
    kind,
    input,
    webhook,
    extras,
    policy: {
      executionTimeout: job.executionTimeoutMs,
      ttl: job.ttlMs,
      lowPriority: job.lowPriority,
    },
  };
}

/** RunPod queues no other job again. */
export function isRetryable(job: QueuedJob): boolean {
  return job.status === 'FAILED' || job.status === 'TIMED_OUT';
}
