/** A whole worker program in one call: arguments, environment, signals and exit status around `startWorker`. */
import { parseArgs } from 'node:util';
import { describeError, RunpodError } from '../errors.ts';
import type { Logger } from '../logger.ts';
import { serveDevApi } from './dev-api.ts';
import { createPlatformLogger } from './platform-logger.ts';
import { LOG_LEVELS, type LogLevel, readLogLevel, settingsFrom } from './settings.ts';
import { runTestInput } from './test-input.ts';
import { startWorker, type WorkerOptions } from './worker.ts';

/** What the program uses of node's `process`. */
export type Program = Pick<NodeJS.Process, 'argv' | 'env' | 'exit' | 'on' | 'off'> & {
  stdout: Pick<NodeJS.WriteStream, 'write'>;
};

/** As for `startWorker`, without what the program's environment says. */
export interface WorkerProgramOptions<Input, Output> extends Omit<WorkerOptions<Input, Output>, 'settings'> {
  /** How long running jobs may go on after the first signal; default 20 000. */
  shutdownDeadlineMs?: number | undefined;
}

/** The arguments of runpod-python's workers. */
interface Arguments {
  serveApi: boolean;
  host: string;
  port: number;
  concurrency: number;
  logLevel: LogLevel | undefined;
}

/**
 * Runs `handler` as the arguments say: one job of `--test_input` or test_input.json, the development API with
 * `--rp_serve_api`, else the platform's jobs. SIGTERM and SIGINT drain it, a second one ends it at once.
 *
 * The process exits in the end: 0, or 1 when the worker is not fit, its settings are bad, the test job failed, or a
 * second signal came.
 *
 * @param program usually `process`
 */
export async function runWorker<Input = unknown, Output = unknown>(
  program: Program,
  options: WorkerProgramOptions<Input, Output>,
): Promise<void> {
  const write = (line: string) => void program.stdout.write(line);
  let logger = options.logger ?? createPlatformLogger({ write });
  try {
    const given = readArguments(program.argv.slice(2));
    const level = given.logLevel ?? readLogLevel(program.env, []);
    logger = options.logger ?? createPlatformLogger({ write, level });
    program.exit(await run(program, given, { ...options, logger }, write));
  } catch (error) {
    logger.error({}, `The worker cannot run: ${describeError(error)}`);
    program.exit(1);
  }
}

async function run<Input, Output>(
  program: Program,
  given: Arguments,
  options: WorkerProgramOptions<Input, Output> & { logger: Logger },
  write: (line: string) => void,
): Promise<number> {
  const { handler, aggregate, logger, shutdownDeadlineMs } = options;
  const args = program.argv.slice(2);
  if (!given.serveApi) {
    const status = await runTestInput(handler, { args, env: program.env, write, aggregate, logger });
    if (status !== undefined) return status;
  }
  const worker = given.serveApi
    ? await serveDevApi({ ...given, worker: options, logger })
    : startWorker({ ...options, settings: settingsFrom(program.env) });
  let isTold = false;
  const tell = (signal: NodeJS.Signals) => {
    if (isTold) program.exit(1);
    logger.info({ signal }, 'Told to end; a second signal ends it at once.');
    isTold = true;
    void worker.shutdown(shutdownDeadlineMs === undefined ? {} : { deadlineMs: shutdownDeadlineMs });
  };
  program.on('SIGTERM', tell).on('SIGINT', tell);
  try {
    await worker.stopped;
  } finally {
    program.off('SIGTERM', tell).off('SIGINT', tell);
  }
  return 0;
}

function readArguments(args: readonly string[]): Arguments {
  const { values } = parseArgs({
    args: [...args],
    options: {
      rp_serve_api: { type: 'boolean', default: false },
      rp_api_host: { type: 'string', default: 'localhost' },
      rp_api_port: { type: 'string', default: '8000' },
      rp_api_concurrency: { type: 'string', default: '1' },
      rp_log_level: { type: 'string' },
      // Read by runTestInput; named here so that its value is not taken for a positional.
      test_input: { type: 'string' },
    },
    // Arguments of the author's own are theirs.
    strict: false,
    allowPositionals: true,
  });
  const level = values.rp_log_level;
  const logLevel = LOG_LEVELS.find((candidate) => candidate === String(level).toUpperCase());
  if (level !== undefined && !logLevel) {
    throw new RunpodError(
      'option_invalid',
      `--rp_log_level should be one of ${LOG_LEVELS.join(', ')}, but is "${level}".`,
    );
  }
  return {
    serveApi: Boolean(values.rp_serve_api),
    host: String(values.rp_api_host),
    port: wholeNumber('--rp_api_port', values.rp_api_port, 0, 65_535),
    concurrency: wholeNumber('--rp_api_concurrency', values.rp_api_concurrency, 1, 1_000),
    logLevel,
  };
}

function wholeNumber(name: string, text: unknown, min: number, max: number): number {
  const value = Number(text);
  if (Number.isInteger(value) && value >= min && value <= max) return value;
  throw new RunpodError(
    'option_invalid',
    `${name} should be a whole number from ${min} to ${max}, but is "${text}".`,
  );
}
