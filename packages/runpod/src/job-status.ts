/** The states and the envelope of a job as RunPod's endpoint API shows them, shared by the client and the local RunPod. */

/** IN_QUEUE → IN_PROGRESS → one of the four terminal states. */
export type JobStatus = 'IN_QUEUE' | 'IN_PROGRESS' | 'COMPLETED' | 'FAILED' | 'CANCELLED' | 'TIMED_OUT';

/** The four states that nothing leaves (but for an explicit retry). */
export type TerminalJobStatus = Exclude<JobStatus, 'IN_QUEUE' | 'IN_PROGRESS'>;

/** True when the job has ended and its envelope no longer changes. */
export function isTerminalStatus(status: JobStatus): status is TerminalJobStatus {
  return status !== 'IN_QUEUE' && status !== 'IN_PROGRESS';
}

/** What /status, /runsync and a webhook carry about a job. */
export interface JobEnvelope<Output = unknown> {
  id: string;
  status: JobStatus;
  /** While IN_PROGRESS the last progress update; when COMPLETED the handler's result. */
  output?: Output;
  /** When FAILED: a string, often JSON (see `parseJobError`). */
  error?: string;
  /** Milliseconds between submission and pickup. */
  delayTime?: number;
  /** Milliseconds that the worker had the job. */
  executionTime?: number;
  workerId?: string;
  /** How often the job was handed out again after its worker was lost. */
  retries?: number;
}

/** A job's limits; RunPod's defaults and bounds are in the docblocks. */
export interface JobPolicy {
  /** Longest run in milliseconds; default 600 000, 5 s to 7 days. Overrides the endpoint's own. */
  executionTimeout?: number | undefined;
  /** Life of the job in milliseconds from its submission, queue and run together; default 24 h, 10 s to 7 days. */
  ttl?: number | undefined;
  /** True: the job alone makes no worker start. */
  lowPriority?: boolean | undefined;
}

/** Jobs and workers of an endpoint, counted. Unknown counts of newer servers are kept. */
export interface EndpointHealth {
  jobs: { completed: number; failed: number; inProgress: number; inQueue: number; retried: number };
  workers: {
    idle: number;
    running: number;
    initializing: number;
    ready: number;
    throttled: number;
    unhealthy: number;
  };
}
