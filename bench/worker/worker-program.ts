/** A worker's program as a child process: started for a local RunPod, measured, and ended. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { LocalRunpod } from '@firepod/runpod/local';
import { withoutSystemChecks } from './runpod-python.ts';

/** One side of the comparison. */
export interface WorkerProgram {
  readonly command: string;
  readonly args: readonly string[];
  /** For the same command: a program that waits and does nothing. */
  readonly idleArgs: readonly string[];
}

/** Ours with a file of this folder as its handler, run by this Node as packages/runpod/README.md says for small containers. */
export function nodeWorker(file: string): WorkerProgram {
  return {
    command: process.execPath,
    args: ['--max-semi-space-size=1', join(import.meta.dirname, file)],
    idleArgs: ['--eval', 'setInterval(() => {}, 60_000)'],
  };
}

/** @param python an interpreter that has runpod-python */
export function pythonWorker(python: string, file: string): WorkerProgram {
  return {
    command: python,
    args: [join(import.meta.dirname, file)],
    idleArgs: ['-c', 'import time; time.sleep(60)'],
  };
}

/** A worker that runs. */
export interface RunningWorker {
  readonly pid: number;
  /** Resolves with the first line of its output that matches, from now on. */
  line(pattern: RegExp): Promise<RegExpExecArray>;
  /** Asks it to end, and makes it end after ten seconds. */
  close(): Promise<void>;
}

/** @param env more variables, e.g. for the handler */
export function startWorkerProgram(
  program: WorkerProgram,
  local: LocalRunpod,
  env: Record<string, string> = {},
): RunningWorker {
  const child = spawn(program.command, program.args, {
    env: { PATH: process.env['PATH'], ...withoutSystemChecks, ...local.workerEnvironment(), ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
    // A process group of its own: the pings of runpod-python's are a process that outlives a killed parent.
    detached: true,
  });
  const lines = createInterface({ input: child.stdout });
  return {
    pid: child.pid!,
    line: (pattern) =>
      new Promise((resolve) => {
        const look = (line: string) => {
          const match = pattern.exec(line);
          if (match === null) return;
          lines.off('line', look);
          resolve(match);
        };
        lines.on('line', look);
      }),
    close: () => end(child),
  };
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode === null && child.signalCode === null) {
    const exited = once(child, 'exit');
    child.kill('SIGTERM');
    const timer = setTimeout(() => child.kill('SIGKILL'), 10_000);
    await exited;
    clearTimeout(timer);
  }
  try {
    process.kill(-child.pid!, 'SIGKILL');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error; // the group is empty
  }
}
