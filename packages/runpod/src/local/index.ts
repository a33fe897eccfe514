/** `@firepod/runpod/local`: a RunPod serverless endpoint on this machine. */
export type { Clock } from '../clock.ts';
export { RunpodError, type RunpodErrorCode } from '../errors.ts';
export type { Logger } from '../logger.ts';
export type { ExchangeObserver, ExchangeRecord } from './exchange-record.ts';
export type { Fault, FaultCall, FaultRule, FaultScript } from './fault-script.ts';
export type { LocalRunpodOptions, LocalTimings, PlatformBehaviour } from './local-options.ts';
export { type LocalRunpod, startLocalRunpod } from './local-runpod.ts';
export { createManualClock, type ManualClock } from './manual-clock.ts';
export { type RateLimit, RUNPOD_RATE_LIMITS } from './rate-limits.ts';
export type { BadResultEnd } from './worker-posts.ts';
export type { WorkerProgram } from './worker-supervisor.ts';
