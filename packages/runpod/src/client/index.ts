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
export {
  type CallOptions,
  createRunpodClient,
  RUNPOD_BASE_URL,
  type RunOptions,
  type RunpodClient,
  type RunpodClientOptions,
  type RunSyncOptions,
  type S3Config,
  type StatusSyncOptions,
  type StreamOptions,
} from './client.ts';
export { type JobFailure, parseJobError } from './response.ts';
