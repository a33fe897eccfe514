/** One service process of a stack: forked, awaited until it listens, restarted on the same ports when it dies. */
import { type ChildProcess, fork } from 'node:child_process';
import { closeSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { inheritedEnvironment } from './inherited-environment.ts';
import { openLog } from './log-file.ts';

/** What a service process tells its parent: that it listens, that it cannot start, or what a person should know. */
export type ServiceMessage = { ready: Record<string, number> } | { failed: string } | { trouble: string };

export interface ServiceProcess {
  /** The ports that it listens on, by service name. */
  readonly ports: Record<string, number>;
  /** The process's id; it changes when the process is restarted. */
  readonly pid: number;
  /** Asks it to end (SIGTERM), and ends it by SIGKILL when it takes too long. */
  close(): Promise<void>;
}

interface ServiceProcessOptions {
  name: string;
  /** Path of the built program. */
  program: string;
  /** Plain data for the program, `ports` among it; 0 = any. A restart repeats the ports that were found. */
  options: { ports: Record<string, number> };
  /** Added to the few variables that every process needs; nothing else of ours is inherited. */
  env: Record<string, string>;
  logFile: string;
  /** From SIGTERM to SIGKILL; default 5 000. */
  killAfterMs?: number;
  /** Called with a sentence when the process died and is started again, or reports trouble of its own. */
  onTrouble?: (sentence: string) => void;
}

/** Names the environment variable that carries a service program's options as JSON. */
export const serviceOptionsVariable = 'FIREPOD_SERVICE_OPTIONS';

const restartDelaysMs = [100, 500, 2_000, 5_000];
/** A process that lived so long did not fail at its start: earlier restarts are forgiven. */
const stableAfterMs = 60_000;

/** @throws {Error} when the process ends or reports a failure before it listens. */
export async function startServiceProcess(service: ServiceProcessOptions): Promise<ServiceProcess> {
  const { name, onTrouble = () => undefined } = service;
  const closing = new AbortController();
  let restarts = 0;
  let restarting: Promise<void> = Promise.resolve();
  let { child, ports } = await launch(service, service.options.ports, onTrouble);

  const restartWhenItDies = (running: ChildProcess) => {
    const startedAt = Date.now();
    const onExit = (code: number | null, signal: NodeJS.Signals | null) => {
      if (closing.signal.aborted) return;
      if (Date.now() - startedAt > stableAfterMs) restarts = 0;
      restarting = restart(`it ended with ${signal ?? code}`);
    };
    // It may have died between its message and now.
    if (hasEnded(running)) onExit(running.exitCode, running.signalCode);
    else running.once('exit', onExit);
  };
  const restart = async (firstReason: string) => {
    for (let reason = firstReason; !closing.signal.aborted; ) {
      onTrouble(`The ${name} process is started again: ${reason}.`);
      const delayMs = restartDelaysMs[Math.min(restarts, restartDelaysMs.length - 1)];
      restarts += 1;
      await delay(delayMs, undefined, { signal: closing.signal }).catch(() => undefined);
      if (closing.signal.aborted) return;
      try {
        ({ child, ports } = await launch(service, ports, onTrouble));
        restartWhenItDies(child);
        return;
      } catch (error) {
        reason = error instanceof Error ? error.message.replace(/\.$/, '') : String(error);
      }
    }
  };
  restartWhenItDies(child);

  return {
    get ports() {
      return ports;
    },
    get pid() {
      return child.pid ?? -1;
    },
    async close() {
      closing.abort();
      await restarting; // a launch under way ends first, so that its process is ended too
      await end(child, service.killAfterMs ?? 5_000);
    },
  };
}

function launch(
  service: ServiceProcessOptions,
  ports: Record<string, number>,
  onTrouble: (sentence: string) => void,
) {
  const log = openLog(service.logFile);
  const child = fork(service.program, [], {
    env: {
      ...inheritedEnvironment(process.env),
      ...service.env,
      [serviceOptionsVariable]: JSON.stringify({ ...service.options, ports }),
    },
    // A group of its own: a Ctrl-C reaches this parent, which ends its children in the right order.
    detached: true,
    // Built programs need none of this process's flags; a test runner's would have them import sources.
    execArgv: [],
    stdio: ['ignore', log, log, 'ipc'],
  });
  closeSync(log);
  return new Promise<{ child: ChildProcess; ports: Record<string, number> }>((resolve, reject) => {
    const fail = (reason: string) =>
      reject(
        new Error(`The ${service.name} process could not start: ${reason} Its log is ${service.logFile}.`),
      );
    child.once('error', (error) => fail(error.message));
    child.once('exit', (code, signal) => fail(`it ended with ${signal ?? code}.`));
    child.on('message', (message) => {
      const told = message as ServiceMessage;
      if ('ready' in told) resolve({ child, ports: told.ready });
      else if ('failed' in told) fail(told.failed);
      else onTrouble(told.trouble);
    });
  });
}

async function end(child: ChildProcess, killAfterMs: number): Promise<void> {
  if (hasEnded(child)) return;
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), killAfterMs);
  await exited;
  clearTimeout(timer);
}

function hasEnded(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null;
}
