/** `@firepod/runpod/local`: a RunPod serverless endpoint on this machine. */
export type { Clock } from '../clock.ts';
export { RunpodError, type RunpodErrorCode } from '../errors.ts';
export type { Logger } from '../logger.ts';
export {
  type LocalRunpod,
  type LocalRunpodOptions,
  type LocalTimings,
  startLocalRunpod,
} from './local-runpod.ts';
export { createManualClock, type ManualClock } from './manual-clock.ts';
export { type RateLimit, RUNPOD_RATE_LIMITS } from './rate-limits.ts';
export type { WorkerProgram } from './worker-supervisor.ts';
