/** `@firepod/runpod/client`: calls of a RunPod serverless endpoint. */
export { RunpodError, type RunpodErrorCode } from '../errors.ts';
export {
  type EndpointHealth,
  isTerminalStatus,
  type JobEnvelope,
  type JobPolicy,
  type JobStatus,
  type TerminalJobStatus,
} from '../job-status.ts';
export type { Logger } from '../logger.ts';
export type {
  CallOptions,
  PollOptions,
  RunOptions,
  RunSyncOptions,
  S3Config,
  StatusSyncOptions,
} from './call-options.ts';
export {
  createRunpodClient,
  RUNPOD_BASE_URL,
  type RunpodClient,
  type RunpodClientOptions,
} from './client.ts';
export { type JobFailure, parseJobError } from './response.ts';
