/** A local RunPod with worker processes of src/local/fixtures, and a gate that their jobs wait at. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build, defaultServerConditions } from 'vite';
import { afterAll, expect, vi } from 'vitest';
import { createRunpodClient, type JobEnvelope, type RunpodClient } from '../src/client/index.ts';
import {
  createManualClock,
  type ExchangeRecord,
  type LocalRunpod,
  type LocalRunpodOptions,
  type ManualClock,
  startLocalRunpod,
  type WorkerProgram,
} from '../src/local/index.ts';

export const API_KEY = 'rpa_TESTKEY';
const PROGRAMS = [
  new URL('../src/local/fixtures/worker-program.mjs', import.meta.url),
  new URL('../src/local/fixtures/local-program.mjs', import.meta.url),
];

let programs: Promise<string> | undefined;
afterAll(async () => {
  if (programs) await rm(await programs, { recursive: true, force: true });
});

/**
 * The path of a program of src/local/fixtures, bundled with the sources that it imports: it starts several times faster
 * than one whose sources are translated at each start.
 */
export async function programFile(name: 'worker-program' | 'local-program'): Promise<string> {
  programs ??= bundlePrograms();
  return join(await programs, `${name}.mjs`);
}

async function bundlePrograms(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'firepod-programs-'));
  const conditions = ['source', ...defaultServerConditions];
  await build({
    configFile: false,
    root: import.meta.dirname,
    logLevel: 'warn',
    resolve: { conditions },
    ssr: { noExternal: true, resolve: { conditions } },
    build: {
      ssr: true,
      outDir: folder,
      emptyOutDir: false,
      minify: false,
      rolldownOptions: {
        input: PROGRAMS.map((program) => fileURLToPath(program)),
        output: { entryFileNames: '[name].mjs', chunkFileNames: '[name].mjs' },
      },
    },
  });
  return folder;
}

/** What a test works with. */
interface WorkerStand {
  local: LocalRunpod;
  client: RunpodClient;
  /** Lines that the workers wrote. */
  lines: string[];
  exchanges: ExchangeRecord[];
  /** Stands still unless a test moves it: no heartbeat is missing, no worker idles out, no crash is forgiven by itself. */
  clock: ManualClock;
  /** A file that does not exist yet, and what makes it: jobs of the kinds `gated` and `block` end then. */
  gate: string;
  open(): Promise<void>;
}

/** Starts it; `closers` get what has to be closed, the last first. */
export async function startWorkerStand(
  closers: (() => Promise<unknown>)[],
  program: Partial<WorkerProgram> = {},
  options: Partial<LocalRunpodOptions> = {},
): Promise<WorkerStand> {
  const folder = await mkdtemp(join(tmpdir(), 'firepod-gate-'));
  closers.push(() => rm(folder, { recursive: true, force: true }));
  const gate = join(folder, 'open');
  const lines: string[] = [];
  const exchanges: ExchangeRecord[] = [];
  const clock = createManualClock(1_000_000);
  const local = await startLocalRunpod({
    endpointId: 'local',
    apiKey: API_KEY,
    worker: {
      command: process.execPath,
      args: [await programFile('worker-program')],
      env: { PATH: process.env['PATH'] ?? '' },
      onLine: (line) => lines.push(line),
      ...program,
    },
    // Crashed workers come back at the short end of the wait.
    random: () => 0,
    clock,
    onExchange: (exchange) => exchanges.push(exchange),
    ...options,
    timings: { pingIntervalMs: 100, ...options.timings },
  });
  closers.push(() => local.close());
  const client = createRunpodClient({ baseUrl: local.baseUrl, endpointId: 'local', apiKey: API_KEY });
  return { local, client, lines, exchanges, clock, gate, open: () => writeFile(gate, '') };
}

/** Waits until the job shows progress of a process other than `not`, and returns its process id. */
export function runningPid(client: RunpodClient, jobId: string, not?: number): Promise<number> {
  return eventually(async () => {
    const { status, output } = await client.status<{ pid?: number }>(jobId);
    expect(status).toBe('IN_PROGRESS');
    expect(output?.pid).toBeTypeOf('number');
    expect(output?.pid).not.toBe(not);
    return output?.pid as number;
  });
}

/** The envelope of the job's end. */
export function endOf<Output>(client: RunpodClient, jobId: string): Promise<JobEnvelope<Output>> {
  return eventually(async () => {
    const envelope = await client.status<Output>(jobId);
    expect(envelope.status).not.toMatch(/^IN_/);
    return envelope;
  });
}

/** `check` until it passes; generous, because the machine may be busy. */
export function eventually<T>(check: () => Promise<T> | T): Promise<T> {
  return vi.waitFor(check, { timeout: 15_000, interval: 30 });
}
