/** One job from the command line or a file, run without a platform: `--test_input JSON`, or test_input.json. */
import { readFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { describeError, RunpodError } from '../errors.ts';
import { type Logger, silentLogger } from '../logger.ts';
import { type AnyHandler, callHandler, logUnforeseen } from './handler-call.ts';
import type { Job } from './job.ts';
import { encodeResult, type Outcome, platformResultLimitBytes } from './result.ts';

/** Where the job comes from and its result goes. */
export interface TestInputOptions {
  /** Usually `process.argv.slice(2)`; other arguments than `--test_input` are left alone. */
  args: readonly string[];
  /** Usually `process.env`. */
  env: Record<string, string | undefined>;
  /** Gets lines of JSON as the platform would get them: progress, chunks, and last the result. Each ends in a newline. */
  write(line: string): void;
  /** Read when there is no `--test_input`; default `test_input.json` in the current directory. */
  file?: string | undefined;
  /** As for `startWorker`. */
  aggregate?: boolean | undefined;
  /** The handler's signal. */
  signal?: AbortSignal | undefined;
  logger?: Logger | undefined;
}

/** As RunPod's Python SDK calls a job that has no id. */
const DEFAULT_JOB_ID = 'local_test';

/**
 * Runs one test job: `{input, id?, …}` from `--test_input`, else, when the environment names no platform
 * (RUNPOD_WEBHOOK_GET_JOB), from the file. A job that cannot be read is a failed job, nothing is thrown.
 *
 * @returns the exit status, 0 or 1; undefined when there is nothing to test, so that the worker should be started
 */
export async function runTestInput<Input = unknown, Output = unknown>(
  handler: AnyHandler<Input, Output>,
  options: TestInputOptions,
): Promise<number | undefined> {
  const { args, env, aggregate = false, logger = silentLogger } = options;
  const argument = findArgument(args);
  if (argument === undefined && env['RUNPOD_WEBHOOK_GET_JOB']) return undefined;
  let jobId = DEFAULT_JOB_ID;
  let outcome: Outcome;
  const writeBody = (body: Uint8Array) => options.write(`${Buffer.from(body).toString('utf8')}\n`);
  const context = {
    signal: options.signal ?? new AbortController().signal,
    progress: (update: unknown) =>
      options.write(`${JSON.stringify({ status: 'IN_PROGRESS', output: update ?? null })}\n`),
    logger,
  };
  try {
    const job = await readJob<Input>(argument, options.file ?? 'test_input.json');
    jobId = job.id;
    const open = () => async (body: Uint8Array) => writeBody(body);
    outcome = { output: await callHandler(handler, job, context, { open, aggregate }) };
  } catch (thrown) {
    outcome = { thrown };
    if (!(thrown instanceof RunpodError)) logUnforeseen(logger, thrown);
  }
  const workerId = env['RUNPOD_POD_ID'] || DEFAULT_JOB_ID;
  const maxBytes = platformResultLimitBytes(jobId);
  const result = encodeResult(outcome, { workerId, maxBytes, refreshWorker: false });
  writeBody(result.body);
  return result.errorCode === undefined ? 0 : 1;
}

/** The value of `--test_input VALUE` or `--test_input=VALUE`; empty when the value is missing. */
function findArgument(args: readonly string[]): string | undefined {
  const { tokens } = parseArgs({
    args: [...args],
    options: { test_input: { type: 'string' } },
    strict: false,
    allowPositionals: true,
    tokens: true,
  });
  const token = tokens.findLast(
    (candidate) => candidate.kind === 'option' && candidate.name === 'test_input',
  );
  return token?.kind === 'option' ? (token.value ?? '') : undefined;
}

async function readJob<Input>(argument: string | undefined, file: string): Promise<Job<Input>> {
  const source = argument === undefined ? file : '--test_input';
  let job: unknown;
  try {
    job = JSON.parse(argument ?? (await readFile(file, 'utf8')));
  } catch (cause) {
    const message = `The test job should be JSON in --test_input or ${file}, but ${source} cannot be read: ${describeError(cause)}.`;
    throw new RunpodError('invalid_job', message, { cause });
  }
  if (typeof job !== 'object' || job === null || !('input' in job)) {
    throw new RunpodError(
      'invalid_job',
      `The job in ${source} should be an object with an "input", but is not.`,
    );
  }
  const { id } = job as { id?: unknown };
  return { ...(job as Job<Input>), id: typeof id === 'string' && id !== '' ? id : DEFAULT_JOB_ID };
}
