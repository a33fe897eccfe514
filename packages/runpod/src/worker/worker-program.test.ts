/** Whole worker processes against a real local RunPod: blocked, stuck, killed, told to end. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { startCuttableLine } from '../../testing/cuttable-line.ts';
import { closeAfterTest, startLocalBench } from '../../testing/local-bench.ts';
import { eventually } from '../../testing/scripted-platform.ts';
import { type Program, runWorker } from './index.ts';

const PROGRAM = fileURLToPath(new URL('./fixtures/worker-program.mjs', import.meta.url));
const SOURCE_FLAGS = ['--conditions=source', '--import', createRequire(import.meta.url).resolve('tsx')];

/** Programs start slowly on a busy machine. */
const SLOW = { timeout: 60_000 };

function startProgram(environment: Record<string, string>) {
  const child = spawn(process.execPath, [...SOURCE_FLAGS, PROGRAM], {
    env: { PATH: process.env['PATH'], ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
  }
  const exit = once(child, 'exit') as Promise<[number | null, NodeJS.Signals | null]>;
  closeAfterTest(async () => child.kill('SIGKILL'));
  return { child, exit, output: () => output };
}

async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'firepod-worker-'));
  closeAfterTest(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

describe('a handler that blocks the event loop', SLOW, () => {
  test('keeps its job, because pings go on, until the watchdog finds the worker stuck', async () => {
    const { local, client, exchanges } = await startLocalBench({
      maxDeliveries: 1,
      timings: { heartbeatTimeoutMs: 1_500 },
    });
    const worker = startProgram({ ...local.workerEnvironment('w1'), STUCK_AFTER_MS: '3000' });
    await eventually(() => expect(exchanges('ping').length).toBeGreaterThan(0));
    const job = await client.runSync({ blockMs: 2_000 });
    expect(job).toMatchObject({ status: 'COMPLETED', output: { pid: worker.child.pid } });

    await client.run({ blockMs: 600_000 });
    expect(await worker.exit).toEqual([null, 'SIGKILL']);
    expect(worker.output()).toContain('The event loop was blocked for 3000 ms. Ending the process.');
    const unhealthy = exchanges('ping').find(({ query }) => query.includes('status=unhealthy'));
    expect(unhealthy?.query).toContain('check=event_loop');
  });
});

describe('a result that cannot be posted', SLOW, () => {
  test('survives the cut of the network and the death of the process, and goes before the next take', async () => {
    const { local, client, exchanges } = await startLocalBench();
    const line = await startCuttableLine(local.port);
    const spool = await temporaryFolder();
    const environment = Object.fromEntries(
      Object.entries(local.workerEnvironment('w1')).map(([name, value]) => [
        name,
        value.replace(`:${local.port}/`, `:${line.port}/`),
      ]),
    );
    const first = startProgram({ ...environment, SPOOL_FOLDER: spool });
    const { id } = await client.run({ sleepMs: 300 });
    await eventually(async () => expect(await client.status(id)).toMatchObject({ output: 'started' }));
    line.cut();
    await eventually(async () => expect(await readdir(spool)).toEqual([expect.stringMatching(/\.result$/)]));
    await eventually(() => expect(first.output()).toContain('Posting the result failed'));
    first.child.kill('SIGKILL');
    await first.exit;

    line.mend();
    const takesBefore = exchanges('job-take').length;
    startProgram({ ...environment, SPOOL_FOLDER: spool });
    await eventually(async () => {
      const { status, output, retries = 0 } = await client.status(id);
      expect({ status, output, retries }).toEqual({
        status: 'COMPLETED',
        output: { pid: first.child.pid },
        retries: 0,
      });
    });
    expect(exchanges('job-take')).toHaveLength(takesBefore);
    await eventually(async () => expect(await readdir(spool)).toEqual([]));
  });
});

describe('signals', SLOW, () => {
  test('drain the worker, and a second one ends it at once', async () => {
    const { local, client } = await startLocalBench();
    const worker = startProgram(local.workerEnvironment('w1'));
    const { id } = await client.run({ sleepMs: 600_000 });
    await eventually(async () => expect(await client.status(id)).toMatchObject({ output: 'started' }));
    worker.child.kill('SIGTERM');
    await eventually(() => expect(worker.output()).toContain('Told to end'));
    expect(worker.child.exitCode).toBeNull();
    worker.child.kill('SIGINT');
    expect(await worker.exit).toEqual([1, null]);
  });
});

describe('the program', () => {
  /** Runs it in this process. */
  async function runHere(args: string[], env: Record<string, string> = {}) {
    const lines: string[] = [];
    const statuses: (number | undefined)[] = [];
    const program = {
      argv: ['node', 'worker.mjs', ...args],
      env,
      stdout: { write: (line: string) => lines.push(line) },
      exit: (status?: number) => statuses.push(status),
      on: () => program,
      off: () => program,
    } as unknown as Program;
    await runWorker(program, { handler: async ({ input }) => ({ got: input }) });
    return { lines, status: statuses[0] };
  }

  test('runs one job of --test_input and exits 0', async () => {
    const { lines, status } = await runHere(['--test_input', '{"input": 7}', '--rp_log_level', 'error']);
    expect(status).toBe(0);
    expect(lines.map((line) => JSON.parse(line))).toEqual([{ output: { got: 7 } }]);
  });

  test.each([
    [['--rp_log_level', 'loud'], {}, '--rp_log_level should be one of TRACE'],
    [['--rp_serve_api', '--rp_api_port', 'x'], {}, '--rp_api_port should be a whole number from 0 to 65535'],
    [[], { RUNPOD_WEBHOOK_GET_JOB: 'nonsense' }, 'RUNPOD_WEBHOOK_GET_JOB should be an http(s) URL'],
  ])('says what is wrong with %j %j and exits 1', async (args, env, message) => {
    const { lines, status } = await runHere(args, env);
    expect(status).toBe(1);
    expect(lines.join('')).toContain(message);
  });
});
