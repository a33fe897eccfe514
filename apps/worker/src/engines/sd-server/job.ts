/** One job on a running server: submitted, followed by its output and its status, and ended when nobody wants it. */
import { setTimeout as pause } from 'node:timers/promises';
import { ERROR_CODES } from '@firepod/contract';
import { WorkerError } from '../../errors.ts';
import { describeDeath, diedOfMemory } from '../death.ts';
import { SdServerAnswerError, type ServerJob } from './api.ts';
import { reasonOf, type SdServerOutput, saysOutOfMemory } from './output.ts';
import { isPortShared } from './port.ts';
import type { SdServerProcess } from './server-process.ts';

/** How often a job's status is asked for. */
const POLL_MS = 250;

/** A full queue is asked again: the server has no other clients, so that it empties. */
const FULL_QUEUE_PAUSE_MS = 1000;

/** A server that does not answer may be about to be known as dead. */
const DEATH_GRACE_MS = 1000;

/** How long the line that explains an answer may take to arrive after it. */
const REASON_GRACE_MS = 1000;

/** What to run and whom to tell. */
export interface ServerJobOptions {
  mode: 'img_gen' | 'vid_gen';
  body: object;
  signal: AbortSignal;
  onOutput: (output: SdServerOutput) => void;
  /** A server that prints nothing for so long hangs: loading weights and decoding are its longest silences. */
  stallTimeoutMs: number;
}

/** A finished job's result. */
export type ServerResult = NonNullable<ServerJob['result']>;

/**
 * Runs the job. The server cannot be told to stop, so that the caller has to end its process when this rejects with
 * anything but `invalid_argument` or `internal`.
 * @throws the signal's reason; WorkerError `out_of_memory`, `engine_crashed` (it died, hung or no longer makes sense) or
 * `internal`
 */
export async function runServerJob(
  server: SdServerProcess,
  options: ServerJobOptions,
): Promise<ServerResult> {
  const { signal, stallTimeoutMs } = options;
  server.forgetLines();
  let isMemory = false;
  const stalled = new AbortController();
  const stallTimer = setTimeout(
    () =>
      stalled.abort(
        new WorkerError('engine_crashed', `The server printed nothing for ${stallTimeoutMs / 1000} s.`),
      ),
    stallTimeoutMs,
  );
  const stopListening = server.listen((output) => {
    stallTimer.refresh();
    if (output.type === 'line') isMemory ||= saysOutOfMemory(output.text);
    options.onOutput(output);
  });
  const died = new AbortController();
  void server.died.then((death) => {
    const reason = `${describeDeath(death)}: ${reasonOf(server.lines) ?? 'it said nothing about it'}`;
    died.abort(isMemory || diedOfMemory(death) ? outOfMemory(reason) : crash(reason));
  });
  const stop = AbortSignal.any([signal, stalled.signal, died.signal]);
  try {
    if (isPortShared(server.port)) throw crash(`another program listens on its port ${server.port} too`);
    const job = await follow(server, options, stop);
    if (job.status === 'completed' && job.result) return job.result;
    const reason = await reasonSaid(server, stop);
    if (isMemory) throw outOfMemory(reason);
    throw internal(`The job ended as ${job.status}: ${job.error?.message ?? 'no reason'}; ${reason}`);
  } catch (error) {
    stop.throwIfAborted();
    if (!(error instanceof SdServerAnswerError)) throw error;
    if (error.status >= 400) {
      // The real reason of "invalid generation parameters" is on stderr alone.
      throw internal(`${error.message}; ${await reasonSaid(server, stop)}`, error);
    }
    await pause(DEATH_GRACE_MS, undefined, { signal: stop }).catch(() => {});
    stop.throwIfAborted();
    throw crash(error.message, error);
  } finally {
    clearTimeout(stallTimer);
    stopListening();
  }
}

async function follow(
  { api }: SdServerProcess,
  { mode, body }: ServerJobOptions,
  stop: AbortSignal,
): Promise<ServerJob> {
  let id: string | undefined;
  while (id === undefined) {
    id = await api.submit(mode, body, stop).catch((error: unknown) => {
      if (!(error instanceof SdServerAnswerError) || error.status !== 429) throw error;
      return undefined;
    });
    if (id === undefined) await pauseOrStop(FULL_QUEUE_PAUSE_MS, stop);
  }
  for (;;) {
    const job = await api.job(id, stop);
    if (job.status !== 'queued' && job.status !== 'generating') return job;
    await pauseOrStop(POLL_MS, stop);
  }
}

async function pauseOrStop(pauseMs: number, stop: AbortSignal): Promise<void> {
  await pause(pauseMs, undefined, { signal: stop }).catch(() => {});
  stop.throwIfAborted();
}

/**
 * Why a job failed, by what was printed since it began. An answer and the line that explains it come by two ways, and the
 * line may be the later one.
 */
async function reasonSaid(server: SdServerProcess, stop: AbortSignal): Promise<string> {
  const heard = new AbortController();
  const stopListening = server.listen(() => {
    if (reasonOf(server.lines) !== null) heard.abort();
  });
  if (reasonOf(server.lines) === null) {
    await pause(REASON_GRACE_MS, undefined, { signal: AbortSignal.any([stop, heard.signal]) }).catch(
      () => {},
    );
  }
  stopListening();
  stop.throwIfAborted();
  return reasonOf(server.lines) ?? 'nothing on stderr';
}

function crash(reason: string, cause?: unknown): WorkerError {
  return new WorkerError(
    'engine_crashed',
    `The server of the model ended in the middle of a job (${reason}).`,
    { cause },
  );
}

function outOfMemory(detail: string): WorkerError {
  return new WorkerError('out_of_memory', ERROR_CODES.out_of_memory.sentence, { cause: new Error(detail) });
}

function internal(detail: string, cause?: unknown): WorkerError {
  return new WorkerError('internal', ERROR_CODES.internal.sentence, { cause: new Error(detail, { cause }) });
}
