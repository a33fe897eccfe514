/** What the local RunPod can be told: times, limits, how it treats what RunPod is only reported to do, faults, an observer. */
import { type Clock, systemClock } from '../clock.ts';
import { RunpodError } from '../errors.ts';
import { type Logger, silentLogger } from '../logger.ts';
import type { ExchangeObserver } from './exchange-record.ts';
import type { FaultScript } from './fault-script.ts';
import { type RateLimit, RUNPOD_RATE_LIMITS } from './rate-limits.ts';
import type { BadResultEnd } from './worker-posts.ts';
import type { WorkerProgram } from './worker-supervisor.ts';

/** Milliseconds; the defaults are RunPod's where they are known. */
export interface LocalTimings {
  /** What workers are told as RUNPOD_PING_INTERVAL; default 4 000, as users report of the platform. */
  pingIntervalMs: number;
  /** A job whose worker has not named it for so long is given to another; default 15 000. */
  heartbeatTimeoutMs: number;
  /** How long job-take and job-stop are held without an answer; default 20 000 (SDKs cut them at 90 000). */
  pollHoldMs: number;
  /** Between a webhook's calls; default 10 000. */
  webhookRetryMs: number;
  /** For one call of a webhook; default 30 000. */
  webhookTimeoutMs: number;
  /** Unless a job's policy says otherwise; default 600 000. */
  executionTimeoutMs: number;
  /** Unless a job's policy says otherwise; default 24 hours. */
  ttlMs: number;
  /** How long an ended /run job is kept; default 30 minutes. */
  runRetentionMs: number;
  /** How long an ended /runsync job is kept; default 1 minute. */
  runSyncRetentionMs: number;
  /** From SIGTERM to SIGKILL of a worker; default 10 000. */
  killWorkerAfterMs: number;
  /** How often the clock's effects are applied; default 200. */
  tickMs: number;
}

/** How it treats workers where RunPod is reported to do something odd. */
export interface PlatformBehaviour {
  /** What an empty job-take is answered: 204 (default), or 400 as from endpoints with FlashBoot. */
  emptyTakeStatus: 204 | 400;
  /**
   * How a job ends whose result is beyond the size limit. The post is answered 400 either way. Default COMPLETED,
   * without output: so reported of RunPod.
   */
  oversizeResult: BadResultEnd;
  /**
   * How a job ends whose result has an `error` that is no string. Default COMPLETED, without output: so reported of
   * RunPod. FAILED keeps the error as JSON.
   */
  nonStringError: BadResultEnd;
}

/** What the endpoint, its two APIs and its queue, is made of. */
export interface EndpointOptions {
  endpointId: string;
  /** What clients send as a bearer token (or bare) and workers bare. */
  apiKey: string;
  /** How often a job is given out before it ends as lost; default 3. */
  maxDeliveries?: number | undefined;
  /** How a job ends that was lost so often; default FAILED. */
  lostStatus?: 'FAILED' | 'TIMED_OUT' | undefined;
  /** By operation, e.g. `run`; default: what RunPod documents. False: none. Beyond them calls are answered 429. */
  rateLimits?: Readonly<Record<string, RateLimit>> | false | undefined;
  /** With so many jobs in the queue, /run and /runsync are answered 429; default: no such limit. */
  maxQueuedJobs?: number | undefined;
  platform?: Partial<PlatformBehaviour> | undefined;
  /** Which calls go wrong; default none. */
  faults?: FaultScript | undefined;
  timings?: Partial<LocalTimings> | undefined;
  logger?: Logger | undefined;
  clock?: Clock | undefined;
}

/** What the local RunPod is made of. */
export interface LocalRunpodOptions extends EndpointOptions {
  /** Default 0: any free one. */
  port?: number | undefined;
  /** Default 127.0.0.1. */
  host?: string | undefined;
  /** The program that serves jobs; without it only workers that are started otherwise do. */
  worker?: WorkerProgram | undefined;
  /** Where jobs that have not ended are kept for the next start; default: nowhere, they end with this process. */
  journalFile?: string | undefined;
  /** Gets each request and its reply when it is over: a transcript of both protocols. */
  onExchange?: ExchangeObserver | undefined;
  random?: (() => number) | undefined;
}

const DEFAULT_TIMINGS: LocalTimings = {
  pingIntervalMs: 4_000,
  heartbeatTimeoutMs: 15_000,
  pollHoldMs: 20_000,
  webhookRetryMs: 10_000,
  webhookTimeoutMs: 30_000,
  executionTimeoutMs: 600_000,
  ttlMs: 86_400_000,
  runRetentionMs: 1_800_000,
  runSyncRetentionMs: 60_000,
  killWorkerAfterMs: 10_000,
  tickMs: 200,
};

const DEFAULT_BEHAVIOUR: PlatformBehaviour = {
  emptyTakeStatus: 204,
  oversizeResult: 'COMPLETED',
  nonStringError: 'COMPLETED',
};

/** The options with every default in its place. */
export interface EndpointSettings {
  endpointId: string;
  apiKey: string;
  maxDeliveries: number;
  lostStatus: 'FAILED' | 'TIMED_OUT';
  rateLimits: Readonly<Record<string, RateLimit>>;
  maxQueuedJobs: number;
  platform: PlatformBehaviour;
  faults: FaultScript | undefined;
  timings: LocalTimings;
  logger: Logger;
  clock: Clock;
}

/** @throws RunpodError `option_invalid` for an empty endpoint id or key */
export function endpointSettingsOf(options: EndpointOptions): EndpointSettings {
  if (options.endpointId === '' || options.apiKey === '') {
    throw new RunpodError('option_invalid', 'startLocalRunpod: endpointId and apiKey should not be empty.');
  }
  return {
    endpointId: options.endpointId,
    apiKey: options.apiKey,
    maxDeliveries: options.maxDeliveries ?? 3,
    lostStatus: options.lostStatus ?? 'FAILED',
    rateLimits: options.rateLimits === false ? {} : (options.rateLimits ?? RUNPOD_RATE_LIMITS),
    maxQueuedJobs: options.maxQueuedJobs ?? Number.POSITIVE_INFINITY,
    platform: { ...DEFAULT_BEHAVIOUR, ...options.platform },
    faults: options.faults,
    timings: { ...DEFAULT_TIMINGS, ...options.timings },
    logger: options.logger ?? silentLogger,
    clock: options.clock ?? systemClock,
  };
}
