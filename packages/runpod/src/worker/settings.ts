/** Reads the environment that RunPod gives its workers into settings, and names everything wrong with it at once. */
import { randomUUID } from 'node:crypto';
import { RunpodError } from '../errors.ts';

/** Levels of RUNPOD_LOG_LEVEL, least severe first; NOTSET silences. */
export const LOG_LEVELS = ['TRACE', 'DEBUG', 'INFO', 'WARN', 'ERROR', 'NOTSET'] as const;

/** A level of RUNPOD_LOG_LEVEL. */
export type LogLevel = (typeof LOG_LEVELS)[number];

/** Where the platform is and who this worker is. URLs are templates as the platform gives them. */
export interface WorkerSettings {
  /** RUNPOD_POD_ID, or a random UUID when unset (then there are no pings either). */
  workerId: string;
  /** RUNPOD_WEBHOOK_GET_JOB; `$ID` stands for the worker's id. */
  takeUrl: string;
  /** RUNPOD_WEBHOOK_POST_OUTPUT; `$RUNPOD_POD_ID` stands for the worker's id and `$ID` for the job's. */
  resultUrl: string;
  /** RUNPOD_WEBHOOK_POST_STREAM, with the same placeholders; undefined when unset: then handlers cannot stream. */
  streamUrl: string | undefined;
  /** RUNPOD_WEBHOOK_PING; undefined also when RUNPOD_POD_ID or the key is missing: then no heartbeat is sent. */
  pingUrl: string | undefined;
  /** RUNPOD_PING_INTERVAL in milliseconds; default 10 000. */
  pingIntervalMs: number;
  /** RUNPOD_AI_API_KEY, sent as it is in Authorization. */
  apiKey: string | undefined;
  /** RUNPOD_ENDPOINT_ID. */
  endpointId: string | undefined;
  /** RUNPOD_LOG_LEVEL, else RUNPOD_DEBUG_LEVEL, else INFO. */
  logLevel: LogLevel;
  /** RUNPOD_UA_INTEGRATION, appended to User-Agent. */
  userAgentSuffix: string | undefined;
  /**
   * RUNPOD_LOCAL_LIFELINE: `stdin` when a local RunPod started this process. The worker ends when its standard input
   * closes, so that it does not outlive a supervisor that was killed. Never set on the real platform.
   */
  lifeline: 'stdin' | undefined;
}

/** Below this a ping would be a busy loop. */
const MIN_PING_INTERVAL_MS = 100;
const DEFAULT_PING_INTERVAL_MS = 10_000;

/**
 * @param env usually `process.env`
 * @throws RunpodError `settings_invalid` whose message lists every bad name with what was expected
 */
export function settingsFrom(env: Record<string, string | undefined>): WorkerSettings {
  const problems: string[] = [];
  const apiKey = env['RUNPOD_AI_API_KEY'] || undefined;
  const hasHeartbeat = Boolean(env['RUNPOD_POD_ID'] && apiKey && env['RUNPOD_WEBHOOK_PING']);
  const settings: WorkerSettings = {
    workerId: env['RUNPOD_POD_ID'] || randomUUID(),
    takeUrl: readUrl(env, 'RUNPOD_WEBHOOK_GET_JOB', problems),
    resultUrl: readUrl(env, 'RUNPOD_WEBHOOK_POST_OUTPUT', problems),
    streamUrl: env['RUNPOD_WEBHOOK_POST_STREAM']
      ? readUrl(env, 'RUNPOD_WEBHOOK_POST_STREAM', problems)
      : undefined,
    pingUrl: hasHeartbeat ? readUrl(env, 'RUNPOD_WEBHOOK_PING', problems) : undefined,
    pingIntervalMs: readPingInterval(env, problems),
    apiKey,
    endpointId: env['RUNPOD_ENDPOINT_ID'] || undefined,
    logLevel: readLogLevel(env, problems),
    userAgentSuffix: env['RUNPOD_UA_INTEGRATION'] || undefined,
    lifeline: readLifeline(env, problems),
  };
  requireJobPlaceholder('RUNPOD_WEBHOOK_POST_OUTPUT', settings.resultUrl, problems);
  requireJobPlaceholder('RUNPOD_WEBHOOK_POST_STREAM', settings.streamUrl, problems);
  if (problems.length > 0) {
    throw new RunpodError(
      'settings_invalid',
      `This worker's environment is not usable: ${problems.join('; ')}.`,
    );
  }
  return settings;
}

function requireJobPlaceholder(name: string, url: string | undefined, problems: string[]): void {
  // A URL that could not be read is a problem already.
  if (!url || url.replaceAll('$RUNPOD_POD_ID', '').includes('$ID')) return;
  problems.push(`${name} should hold $ID, which stands for the job, but does not`);
}

function readUrl(env: Record<string, string | undefined>, name: string, problems: string[]): string {
  const value = env[name];
  if (!value) {
    problems.push(`${name} should be a URL, but is not set`);
    return '';
  }
  if (!URL.canParse(value) || !/^https?:/i.test(value)) {
    problems.push(`${name} should be an http(s) URL, but is "${value}"`);
    return '';
  }
  return value;
}

function readPingInterval(env: Record<string, string | undefined>, problems: string[]): number {
  const text = env['RUNPOD_PING_INTERVAL'];
  if (!text) return DEFAULT_PING_INTERVAL_MS;
  const value = Number(text);
  if (!Number.isInteger(value) || value < MIN_PING_INTERVAL_MS) {
    problems.push(
      `RUNPOD_PING_INTERVAL should be whole milliseconds of at least ${MIN_PING_INTERVAL_MS}, but is "${text}"`,
    );
  }
  return value;
}

/** RUNPOD_LOG_LEVEL, else RUNPOD_DEBUG_LEVEL, else INFO; a bad one is added to `problems`. */
export function readLogLevel(env: Record<string, string | undefined>, problems: string[]): LogLevel {
  const name = env['RUNPOD_LOG_LEVEL'] ? 'RUNPOD_LOG_LEVEL' : 'RUNPOD_DEBUG_LEVEL';
  const text = env[name];
  if (!text) return 'INFO';
  const level = LOG_LEVELS.find((candidate) => candidate === text.toUpperCase());
  if (!level) problems.push(`${name} should be one of ${LOG_LEVELS.join(', ')}, but is "${text}"`);
  return level ?? 'INFO';
}

function readLifeline(env: Record<string, string | undefined>, problems: string[]): 'stdin' | undefined {
  const text = env['RUNPOD_LOCAL_LIFELINE'];
  if (!text) return undefined;
  if (text !== 'stdin') problems.push(`RUNPOD_LOCAL_LIFELINE should be "stdin" or unset, but is "${text}"`);
  return 'stdin';
}
