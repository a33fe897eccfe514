/** What a caller may say with each call: a signal, how long to wait, and what travels with a job. */
import type { JobPolicy } from '../job-status.ts';

/** Stops waiting; the job itself goes on (see `cancel`). */
export interface CallOptions {
  signal?: AbortSignal | undefined;
}

/** What travels with a job. */
export interface RunOptions extends CallOptions {
  /**
   * Called with the envelope when the job has ended, and at most twice more when it does not answer 200. RunPod signs
   * nothing: put a token in the URL.
   */
  webhook?: string | undefined;
  policy?: JobPolicy | undefined;
  /** For the worker's use, as it stands in the job it takes: RunPod itself stores nothing there. */
  s3Config?: S3Config | undefined;
}

/** A bucket that speaks S3, where the worker may leave what it made. */
export interface S3Config {
  accessId: string;
  accessSecret: string;
  bucketName: string;
  /** Absolute URL of the S3 service. */
  endpointUrl: string;
  /** Folder in the bucket. */
  objectPath?: string | undefined;
}

/** runSync waits on the server. */
export interface RunSyncOptions extends RunOptions {
  /** Milliseconds that the server waits for the end, 1 000 to 300 000; default 90 000. */
  waitMs?: number | undefined;
  /**
   * True: when the server's wait ends first, goes on waiting as `waitForEnd` does, so that the envelope is always that
   * of the end. Default false: then its status may be IN_QUEUE or IN_PROGRESS.
   */
  untilEnd?: boolean | undefined;
}

/** statusSync waits on the server. */
export interface StatusSyncOptions extends CallOptions {
  /** Milliseconds that the server waits for the end, 1 000 to 90 000; default 90 000. */
  waitMs?: number | undefined;
}

/** How a job's end is waited for where the server does not wait itself, and how a stream is asked for. */
export interface PollOptions extends CallOptions {
  /** Milliseconds between two polls; default 500 for a stream, 1 000 for an end. */
  pollIntervalMs?: number | undefined;
}
