/** One worker process: started in a group of its own, stopped by SIGTERM and then SIGKILL, never left behind. */
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { type Clock, pause } from '../clock.ts';

/** What is started. */
export interface WorkerProcessOptions {
  command: string;
  args: readonly string[];
  /** The whole environment of the process: nothing is inherited. */
  env: Readonly<Record<string, string | undefined>>;
  cwd?: string | undefined;
  clock: Clock;
  /** Gets each line that the process writes. */
  onLine(line: string, stream: 'stdout' | 'stderr'): void;
}

/** How a process ended: `failure` when it could not even start. */
export interface WorkerExit {
  code: number | null;
  signal: NodeJS.Signals | null;
  failure: Error | undefined;
}

/** A started process. */
export interface WorkerProcess {
  readonly pid: number | undefined;
  readonly exited: Promise<WorkerExit>;
  /** SIGTERM; after `killAfterMs` SIGKILL for it and its children. Resolves when it has ended. */
  stop(killAfterMs: number): Promise<void>;
  /** SIGKILL for it and its children, at once and synchronously: for the end of this process itself. */
  kill(): void;
}

/**
 * Starts the process. Its standard input is a pipe that closes when this process ends, even by SIGKILL, and
 * RUNPOD_LOCAL_LIFELINE=stdin tells it so.
 */
export function startWorkerProcess(options: WorkerProcessOptions): WorkerProcess {
  const { clock } = options;
  const child = spawn(options.command, [...options.args], {
    env: { ...options.env, RUNPOD_LOCAL_LIFELINE: 'stdin' },
    cwd: options.cwd,
    stdio: ['pipe', 'pipe', 'pipe'],
    // A group of its own (POSIX): so that its children can be killed with it, and Ctrl-C reaches only us.
    detached: process.platform !== 'win32',
  });
  // The pipe breaks when the process ends first; its exit says all there is to say.
  child.stdin.on('error', () => {});
  createInterface({ input: child.stdout }).on('line', (line) => options.onLine(line, 'stdout'));
  createInterface({ input: child.stderr }).on('line', (line) => options.onLine(line, 'stderr'));

  function kill(): void {
    if (child.pid === undefined) return;
    try {
      process.kill(process.platform === 'win32' ? child.pid : -child.pid, 'SIGKILL');
    } catch (error) {
      // ESRCH: the whole group has ended already, which is what was wanted.
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
    }
  }

  const exited = new Promise<WorkerExit>((resolve) => {
    child.once('error', (failure) => resolve({ code: null, signal: null, failure }));
    child.once('exit', (code, signal) => {
      // Its own children (an engine) must not outlive it.
      kill();
      resolve({ code, signal, failure: undefined });
    });
  });
  process.once('exit', kill);
  void exited.then(() => process.off('exit', kill));

  return {
    pid: child.pid,
    exited,
    kill,
    async stop(killAfterMs) {
      const hasExited = new AbortController();
      void exited.then(() => hasExited.abort());
      child.kill('SIGTERM');
      await pause(clock, killAfterMs, hasExited.signal);
      if (!hasExited.signal.aborted) kill();
      await exited;
    },
  };
}
