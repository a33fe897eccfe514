/** `npm start` as a person runs it: a process group of its own, its words, its descendants, its end. */
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { cloneFolder, findBusyPorts, portPlan, type StackAddresses } from '@firepod/dev';
import { vi } from 'vitest';
import { descendantsOf, isRunning } from './process-tree.ts';

export interface StartedProgram {
  readonly pid: number;
  /** All that it has written to the console so far. */
  output(): string;
  /** Resolves with the studio's address; rejects with the output when it ends before. */
  readonly ready: Promise<string>;
  /** Resolves with its exit status; null after a signal. */
  readonly exited: Promise<number | null>;
  /** A Ctrl-C: the terminal sends SIGINT to the whole group. */
  pressCtrlC(): void;
}

/** Starts it through npm, or the script that npm runs by itself. */
export function startProgram(
  via: 'npm' | 'node',
  words: readonly string[],
  env: Record<string, string> = {},
): StartedProgram {
  const [command, ...before] = via === 'npm' ? ['npm', 'run'] : [process.execPath, 'scripts/run.mjs'];
  const [script = '', ...rest] = words;
  const args = [...before, script, ...(via === 'npm' ? ['--'] : []), ...rest];
  const child = spawn(command ?? '', args, {
    cwd: cloneFolder,
    env: { ...process.env, ...env },
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  const exited = new Promise<number | null>((resolve) => child.once('close', resolve));
  const ready = new Promise<string>((resolve, reject) => {
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => {
        output += text;
        const url = output.match(/Studio +(\S+)/)?.[1];
        if (url !== undefined && output.includes('Ctrl-C ends it')) resolve(url);
      });
    }
    void exited.then((code) => reject(new Error(`It ended with ${code}:\n${output}`)));
  });
  ready.catch(() => undefined); // a test that expects an end does not await it
  const pid = child.pid ?? Number.NaN;
  return { pid, output: () => output, ready, exited, pressCtrlC: () => process.kill(-pid, 'SIGINT') };
}

/** Runs it to its end. */
export async function runProgram(words: readonly string[], env: Record<string, string> = {}) {
  const program = startProgram('node', words, env);
  return { code: await program.exited, output: program.output() };
}

/** An offset at which every port of a stack is free. */
export async function findFreeOffset(): Promise<number> {
  for (;;) {
    const offset = 10_000 + Math.floor(Math.random() * 30_000);
    if ((await findBusyPorts(portPlan({ offset }), '127.0.0.1')).length === 0) return offset;
  }
}

/** The note of a running stack. */
export function readAddresses(dataFolder: string): StackAddresses {
  return JSON.parse(readFileSync(join(dataFolder, 'stack.json'), 'utf8')) as StackAddresses;
}

/** The process below `pid` whose command names this built program. */
export function findBelow(pid: number, program: string): number {
  const found = descendantsOf(pid).find(({ command }) => command.includes(program));
  if (found === undefined) throw new Error(`No ${program} runs below ${pid}.`);
  return found.pid;
}

/** Resolves when none of them runs any more. */
export async function untilGone(pids: readonly number[]): Promise<void> {
  await vi.waitUntil(() => !pids.some(isRunning), { timeout: 20_000, interval: 50 });
}
