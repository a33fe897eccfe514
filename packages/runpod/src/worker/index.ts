/** `@firepod/runpod/worker`: run jobs of a RunPod serverless endpoint in Node. */
export type { Clock } from '../clock.ts';
export { RunpodError, type RunpodErrorCode } from '../errors.ts';
export { type Logger, withFields } from '../logger.ts';
export type { ConcurrencyModifier } from './concurrency.ts';
export type { FitnessCheck } from './fitness.ts';
export { type Handler, type Job, type JobContext, JobError, type StreamingHandler } from './job.ts';
export type { LargeOutput, OffloadResult } from './offload.ts';
export { createPlatformLogger, type PlatformLoggerOptions } from './platform-logger.ts';
export { type LogLevel, settingsFrom, type WorkerSettings } from './settings.ts';
export { runTestInput, type TestInputOptions } from './test-input.ts';
export { startWorker, type Worker, type WorkerOptions } from './worker.ts';
export { type Program, runWorker, type WorkerProgramOptions } from './worker-program.ts';
