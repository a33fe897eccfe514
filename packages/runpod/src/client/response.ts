/** Reads RunPod's replies: tolerant of what is missing or new, strict about what a caller relies on (id and status). */
import { RunpodError } from '../errors.ts';
import type { EndpointHealth, JobEnvelope, JobStatus } from '../job-status.ts';

const STATUS_BY_WIRE_NAME: Record<string, JobStatus> = {
  IN_QUEUE: 'IN_QUEUE',
  IN_PROGRESS: 'IN_PROGRESS',
  // RunPod's documentation uses this name beside IN_PROGRESS.
  RUNNING: 'IN_PROGRESS',
  COMPLETED: 'COMPLETED',
  FAILED: 'FAILED',
  CANCELLED: 'CANCELLED',
  TIMED_OUT: 'TIMED_OUT',
};

/** @throws RunpodError `unexpected_response` when `body` has no id or no status that we know */
export function readEnvelope<Output>(body: unknown): JobEnvelope<Output> {
  const fields = asRecord(body);
  const status = STATUS_BY_WIRE_NAME[String(fields['status'])];
  if (typeof fields['id'] !== 'string' || status === undefined) {
    throw new RunpodError(
      'unexpected_response',
      `RunPod's reply should hold a job's id and status, but has id ${JSON.stringify(fields['id'])} and status ${JSON.stringify(fields['status'])}.`,
    );
  }
  const envelope: JobEnvelope<Output> = { id: fields['id'], status };
  if (fields['output'] !== undefined) envelope.output = fields['output'] as Output;
  const error = fields['error'];
  if (error !== undefined && error !== null) {
    envelope.error = typeof error === 'string' ? error : JSON.stringify(error);
  }
  for (const name of ['delayTime', 'executionTime', 'retries'] as const) {
    if (typeof fields[name] === 'number') envelope[name] = fields[name];
  }
  if (typeof fields['workerId'] === 'string') envelope.workerId = fields['workerId'];
  return envelope;
}

/** Counts that a server leaves out are 0. */
export function readHealth(body: unknown): EndpointHealth {
  const jobs = asRecord(asRecord(body)['jobs']);
  const workers = asRecord(asRecord(body)['workers']);
  return {
    jobs: {
      completed: count(jobs['completed']),
      failed: count(jobs['failed']),
      inProgress: count(jobs['inProgress']),
      inQueue: count(jobs['inQueue']),
      retried: count(jobs['retried']),
    },
    workers: {
      idle: count(workers['idle']),
      running: count(workers['running']),
      initializing: count(workers['initializing']),
      ready: count(workers['ready']),
      throttled: count(workers['throttled']),
      unhealthy: count(workers['unhealthy']),
    },
  };
}

/** What has come since the last poll of a stream; no status in a reply that is a bare array. */
interface StreamReply<Chunk> {
  status: JobStatus | undefined;
  chunks: Chunk[];
}

/**
 * Reads `{status, stream: [{output}]}` as RunPod's SDKs expect it, or the bare array that its documentation shows.
 *
 * @throws RunpodError `unexpected_response` for anything else, also an entry without output: a chunk may not be lost quietly
 */
export function readStream<Chunk>(body: unknown): StreamReply<Chunk> {
  const fields = asRecord(body);
  const status = STATUS_BY_WIRE_NAME[String(fields['status'])];
  const entries: unknown = Array.isArray(body) ? body : (fields['stream'] ?? []);
  if (!Array.isArray(entries) || (!Array.isArray(body) && status === undefined)) {
    throw new RunpodError(
      'unexpected_response',
      `RunPod's stream reply should hold a status and an array of chunks, but has status ${JSON.stringify(fields['status'])} and ${Array.isArray(entries) ? 'an array' : typeof entries}.`,
    );
  }
  const chunks = entries.map((entry: unknown, index) => {
    const { output } = asRecord(entry);
    if (output !== undefined) return output as Chunk;
    throw new RunpodError(
      'unexpected_response',
      `Entry ${index} of RunPod's stream reply should have an output, but has none.`,
    );
  });
  return { status, chunks };
}

/** @throws RunpodError `unexpected_response` when the reply to /purge-queue has no count */
export function readRemovedCount(body: unknown): number {
  const { removed } = asRecord(body);
  if (typeof removed === 'number') return removed;
  throw new RunpodError(
    'unexpected_response',
    `RunPod's reply to /purge-queue should hold the number removed, but has ${JSON.stringify(removed)}.`,
  );
}

/** What a failed job says about itself. */
export interface JobFailure {
  /** The stable code inside the error; `unknown` when the worker gave none. */
  code: string;
  message: string;
  /** True when the worker says that another try may succeed. */
  retryable: boolean;
}

/** Reads an envelope's `error`: JSON as our worker and RunPod's Python worker write it, or any other text. */
export function parseJobError(error: string | undefined): JobFailure {
  const text = error ?? '';
  let fields: Record<string, unknown> = {};
  try {
    fields = asRecord(JSON.parse(text));
  } catch {
    // Plain text is a legal error: it is the message.
  }
  const message = fields['error_message'] ?? fields['message'];
  return {
    code: typeof fields['code'] === 'string' ? fields['code'] : 'unknown',
    message: typeof message === 'string' ? message : text,
    retryable: fields['retryable'] === true,
  };
}

function asRecord(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Record<string, unknown>)
    : {};
}

function count(value: unknown): number {
  return typeof value === 'number' ? value : 0;
}
