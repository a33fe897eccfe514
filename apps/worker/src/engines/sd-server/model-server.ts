/** The server of one model: started when it is needed, kept, and started again, with growing pauses, when it dies. */
import { abortable } from '../../abortable.ts';
import { describeThrown, WorkerError } from '../../errors.ts';
import { describeDeath, diedOfMemory } from '../death.ts';
import type { NoteListener } from '../messages.ts';
import { reasonOf, saysOutOfMemory } from './output.ts';
import { PortTakenError } from './port.ts';
import { type SdServerProcess, type SdServerProcessOptions, startSdServerProcess } from './server-process.ts';

/** A server that dies without having finished a job is started again after this, doubled each time. */
const RESTART_MIN_MS = 500;
const RESTART_MAX_MS = 30_000;

/** Somebody may take the port that was free when it was looked for; a server that cannot listen ends with 0. */
const PORTS_TRIED = 3;

/** How to run a model's server. */
export interface ModelServerOptions extends SdServerProcessOptions {
  /** A sentence for the log about a death. */
  onNote: NoteListener;
  /** Overridden in tests. */
  restartMinMs?: number;
}

/** A model's server over the processes that come and go. */
export interface ModelServer {
  /** Whether a process runs or starts, and so takes memory on the GPU. */
  readonly isRunning: boolean;
  readonly pid: number | undefined;
  /**
   * A server that is ready, started if there is none.
   * @throws WorkerError `out_of_memory` or `model_not_available`; the signal's reason
   */
  ready(signal: AbortSignal): Promise<SdServerProcess>;
  /** Says that it finished a job: whatever made earlier ones fail is over. */
  succeeded(): void;
  /** Ends the process, and starts another in the background. */
  replace(): void;
  /** Ends the process; `ready` starts another. Resolves when its memory is free. */
  stop(): Promise<void>;
}

/** Nothing is started yet. */
export function createModelServer({
  restartMinMs = RESTART_MIN_MS,
  onNote,
  ...options
}: ModelServerOptions): ModelServer {
  const { id } = options.model.manifest;
  let failures = 0;
  let running: SdServerProcess | undefined;
  let current: Promise<SdServerProcess> | undefined;
  let stopping = new AbortController();

  function adopt(starting: Promise<SdServerProcess>): Promise<SdServerProcess> {
    current = starting;
    starting.catch(() => {
      // Whoever asks next tries again.
      if (current === starting) current = undefined;
    });
    return starting;
  }

  async function startAfter(delayMs: number, stopped: AbortSignal): Promise<SdServerProcess> {
    await pauseUnlessAborted(delayMs, stopped);
    for (let tried = 1; ; tried += 1) {
      stopped.throwIfAborted();
      const server = await startSdServerProcess(options);
      if (stopped.aborted) server.kill();
      running = server;
      void server.died.then(() => {
        if (running === server) running = undefined;
      });
      try {
        await server.ready;
        watch(server, stopped);
        return server;
      } catch (error) {
        const death = await server.died;
        stopped.throwIfAborted();
        const couldNotListen = death.exitCode === 0 || error instanceof PortTakenError;
        if (couldNotListen && tried < PORTS_TRIED) continue;
        failures += 1;
        const isMemory = diedOfMemory(death) || server.lines.some(saysOutOfMemory);
        const detail = `${describeThrown(error)}; ${describeDeath(death)}; ${reasonOf(server.lines) ?? 'it said nothing about it'}`;
        throw new WorkerError(
          isMemory ? 'out_of_memory' : 'model_not_available',
          isMemory
            ? 'The model does not fit into the memory of the GPU.'
            : 'The model on the worker could not be started.',
          { cause: new Error(`The server of ${id} did not start: ${detail}`) },
        );
      }
    }
  }

  /** Replaces a server that dies though nobody stopped it. */
  function watch(server: SdServerProcess, stopped: AbortSignal): void {
    void server.died.then((death) => {
      if (stopped.aborted) return;
      const delayMs = Math.min(restartMinMs * 2 ** failures, RESTART_MAX_MS);
      failures += 1;
      onNote(`The server of ${id} ended (${describeDeath(death)}); starting it again.`, {
        delayMs,
        reason: reasonOf(server.lines) ?? 'it said nothing about it',
      });
      void adopt(startAfter(delayMs, stopped));
    });
  }

  async function stop(): Promise<void> {
    stopping.abort(new WorkerError('engine_crashed', `The server of ${id} was stopped.`));
    stopping = new AbortController();
    const starting = current;
    current = undefined;
    const server = running;
    server?.kill();
    await Promise.all([server?.died, starting?.catch(() => {})]);
  }

  return {
    get isRunning() {
      return current !== undefined || running !== undefined;
    },
    get pid() {
      return running?.pid;
    },
    ready(signal) {
      const delayMs = failures === 0 ? 0 : Math.min(restartMinMs * 2 ** (failures - 1), RESTART_MAX_MS);
      return abortable(current ?? adopt(startAfter(delayMs, stopping.signal)), signal);
    },
    succeeded() {
      failures = 0;
    },
    replace() {
      const stopped = stop();
      const { signal } = stopping;
      void adopt(stopped.then(() => startAfter(0, signal)));
    },
    stop,
  };
}

function pauseUnlessAborted(delayMs: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (delayMs === 0 || signal.aborted) return resolve();
    const end = () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', end);
      resolve();
    };
    const timer = setTimeout(end, delayMs);
    signal.addEventListener('abort', end, { once: true });
  });
}
