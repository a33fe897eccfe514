/** One sd-server as a child process on a loopback port: from its start, over its readiness, to its death. */
import { spawn } from 'node:child_process';
import { setTimeout as pause } from 'node:timers/promises';
import { countMemoryKills, type ProcessDeath } from '../death.ts';
import { type Capabilities, createSdServerApi, type SdServerApi } from './api.ts';
import { serverCommand, serverEnvironment } from './command.ts';
import { createOutputReader, type SdServerOutput } from './output.ts';
import { findFreePort, isPortShared, PortTakenError } from './port.ts';
import type { LocalModel } from './weights.ts';

/** How often a server that starts is asked whether it is ready. */
const READY_POLL_MS = 200;

/** Lines kept for whoever asks why it failed. */
const KEPT_LINES = 60;

/** How to start a server. */
export interface SdServerProcessOptions {
  /** The program: a path, or a name on PATH. */
  program: string;
  model: LocalModel;
  /** A folder with nothing in it; also the server's working folder. */
  emptyFolder: string;
  /** A server that is not ready by then is ended. */
  startTimeoutMs: number;
}

/** A running server. */
export interface SdServerProcess {
  readonly pid: number | undefined;
  readonly port: number;
  readonly api: SdServerApi;
  /** Resolves with what it can do when it listens; rejects when it cannot, or dies before; PortTakenError: try another port. */
  readonly ready: Promise<Capabilities>;
  /** Resolves when the process is gone and its output is read. */
  readonly died: Promise<ProcessDeath>;
  /** The newest lines of its output since `forgetLines`, bars excluded. */
  readonly lines: readonly string[];
  /** A job begins: what was said before explains nothing of it. */
  forgetLines(): void;
  /** Tells of output from now on, until the returned function is called. */
  listen(listener: (output: SdServerOutput) => void): () => void;
  /** Ends it and whatever it started, at once. */
  kill(): void;
}

/** Groups of servers that run now: they end with this process. */
const groups = new Set<number>();
let isExitWatched = false;

/** Starts the server on a port that is free now. */
export async function startSdServerProcess(options: SdServerProcessOptions): Promise<SdServerProcess> {
  const { program, model, emptyFolder, startTimeoutMs } = options;
  const port = await findFreePort();
  const command = serverCommand(program, model, { port, emptyFolder });
  const memoryKillsBefore = countMemoryKills();
  // A group of its own, so that nothing that it starts is left behind.
  const child = spawn(command.program, command.arguments, {
    cwd: emptyFolder,
    env: serverEnvironment(process.env),
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  });
  if (child.pid !== undefined) watchGroup(child.pid);

  const lines: string[] = [];
  const listeners = new Set<(output: SdServerOutput) => void>();
  for (const stream of [child.stdout, child.stderr]) {
    const reader = createOutputReader();
    const tell = (text: string) => {
      for (const output of reader.push(text)) {
        if (output.type === 'line') lines.push(output.text);
        for (const listener of listeners) listener(output);
      }
      lines.splice(0, lines.length - KEPT_LINES);
    };
    // The last words of a process that aborts often have no end of line.
    stream
      .setEncoding('utf8')
      .on('data', tell)
      .once('end', () => tell('\n'));
  }

  const died = new Promise<ProcessDeath>((resolve) => {
    const bury = (exitCode: number | null, signal: NodeJS.Signals | null) => {
      if (child.pid !== undefined) {
        killGroup(child.pid); // children that outlived it
        groups.delete(child.pid);
      }
      resolve({
        exitCode,
        signal,
        lastWords: lines.join('\n'),
        memoryKills: countMemoryKills() - memoryKillsBefore,
      });
    };
    child.once('close', bury);
    child.once('error', (error) => {
      lines.push(`[ERROR] ${error.message}`);
      if (child.pid === undefined) bury(null, null);
    });
  });

  const api = createSdServerApi(`http://127.0.0.1:${port}`);
  const kill = () => {
    if (child.pid !== undefined && groups.has(child.pid)) killGroup(child.pid);
  };
  const ready = waitUntilReady({ api, port }, model, died, startTimeoutMs);
  ready.catch(kill);
  return {
    pid: child.pid,
    port,
    api,
    ready,
    died,
    lines,
    forgetLines() {
      lines.length = 0;
    },
    listen(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    kill,
  };
}

/** The file by which the server names its model. */
function modelPathOf({ paths }: LocalModel): string {
  return paths.get('model') ?? paths.get('diffusion-model') ?? '';
}

async function waitUntilReady(
  { api, port }: Pick<SdServerProcess, 'api' | 'port'>,
  model: LocalModel,
  died: Promise<ProcessDeath>,
  startTimeoutMs: number,
): Promise<Capabilities> {
  const stop = new AbortController();
  const timer = setTimeout(
    () => stop.abort(new Error(`it was not ready within ${startTimeoutMs} ms`)),
    startTimeoutMs,
  );
  void died.then(() => stop.abort(new Error('its process ended before it was ready')));
  try {
    for (;;) {
      const capabilities = await api.capabilities(stop.signal).catch(() => null);
      stop.signal.throwIfAborted();
      if (capabilities) {
        checkIdentity(capabilities, model, port);
        return capabilities;
      }
      await pause(READY_POLL_MS, undefined, { signal: stop.signal }).catch(() => {});
      stop.signal.throwIfAborted();
    }
  } finally {
    clearTimeout(timer);
  }
}

/** @throws PortTakenError when it is not our server; Error when its files make something else than the manifest says */
function checkIdentity(
  { model: { path }, supported_modes }: Capabilities,
  model: LocalModel,
  port: number,
): void {
  const { mode } = model.manifest.server;
  if (path !== modelPathOf(model)) {
    throw new PortTakenError(`another program answers on its port, with the model ${path}`);
  }
  if (isPortShared(port)) throw new PortTakenError(`another program listens on its port ${port} too`);
  if (!supported_modes.includes(mode)) {
    throw new Error(`it makes ${supported_modes.join(', ')} instead of ${mode}`);
  }
}

function watchGroup(pid: number): void {
  groups.add(pid);
  if (isExitWatched) return;
  isExitWatched = true;
  process.on('exit', () => {
    for (const group of groups) killGroup(group);
  });
}

function killGroup(pid: number): void {
  try {
    process.kill(-pid, 'SIGKILL');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error; // the group is gone
  }
}
