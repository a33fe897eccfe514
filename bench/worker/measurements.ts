/** What is measured of a RunPod worker, each on an endpoint of its own with nothing else on it. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { createRunpodClient, type RunpodClient } from '@firepod/runpod/client';
import { type LocalRunpod, startLocalRunpod } from '@firepod/runpod/local';
import { memoryOfTree, type TreeMemory } from '../process-memory.ts';
import { type RunningWorker, startWorkerProgram, type WorkerProgram } from './worker-program.ts';

/** One worker program on one endpoint. */
interface Endpoint {
  readonly client: RunpodClient;
  readonly local: LocalRunpod;
  /** `Date.now()` at the reply that gave it out, of every job in turn. */
  readonly takesAtMs: readonly number[];
  /** `Date.now()` at the reply to every final result in turn. */
  readonly resultsAtMs: readonly number[];
}

/** What one start of a program showed. */
export interface StartMeasurement {
  /** From spawning the process to the reply that gives it its first job, in milliseconds. */
  firstTakeMs: number;
}

/** What one run of many jobs showed. */
export interface LoadMeasurement {
  /** From the first job's take to the last one's result. */
  jobsPerSecond: number;
  /** After the jobs. */
  memory: TreeMemory;
}

/** The job lies in the queue when the process is started. */
export async function measureStart(program: WorkerProgram): Promise<StartMeasurement> {
  return withEndpoint(async ({ client, local, takesAtMs }) => {
    await client.run({});
    const startedAtMs = Date.now();
    const worker = startWorkerProgram(program, local);
    try {
      await until(() => takesAtMs.length === 1);
      return { firstTakeMs: takesAtMs[0]! - startedAtMs };
    } finally {
      await worker.close();
    }
  });
}

/** @param jobs how many; one more goes before them and is not counted */
export async function measureLoad(
  program: WorkerProgram,
  options: { jobs: number; concurrency: number },
): Promise<LoadMeasurement> {
  return withWorker(program, options.concurrency, async ({ client, takesAtMs, resultsAtMs }, worker) => {
    for (let job = 0; job < options.jobs; job += 1) await client.run({});
    await until(() => resultsAtMs.length === options.jobs + 1);
    const seconds = (resultsAtMs.at(-1)! - takesAtMs[1]!) / 1000;
    return { jobsPerSecond: options.jobs / seconds, memory: memoryOfTree(worker.pid) };
  });
}

/** From the call of /cancel to the handler's own noticing, in milliseconds. */
export async function measureCancel(program: WorkerProgram): Promise<number> {
  return withWorker(program, 1, async ({ client, takesAtMs }, worker) => {
    const stopped = worker.line(/^stopped (\d+)$/);
    const { id } = await client.run({ waits: true });
    await until(() => takesAtMs.length === 2);
    await sleep(1_500); // the handler has begun, and the stop channel is held, in either SDK
    const cancelledAtMs = Date.now();
    await client.cancel(id);
    return Number((await stopped)[1]) - cancelledAtMs;
  });
}

/** What a process takes before it has loaded a worker. */
export async function measureIdleInterpreter({ command, idleArgs }: WorkerProgram): Promise<TreeMemory> {
  const child = spawn(command, idleArgs, { stdio: 'ignore' });
  try {
    await once(child, 'spawn');
    await sleep(1_000);
    return memoryOfTree(child.pid!);
  } finally {
    child.kill();
  }
}

/** A worker that has done one job and waits for more. */
async function withWorker<Result>(
  program: WorkerProgram,
  concurrency: number,
  measure: (endpoint: Endpoint, worker: RunningWorker) => Promise<Result>,
): Promise<Result> {
  return withEndpoint(async (endpoint) => {
    const worker = startWorkerProgram(program, endpoint.local, { BENCH_CONCURRENCY: String(concurrency) });
    try {
      await endpoint.client.run({});
      await until(() => endpoint.resultsAtMs.length === 1);
      await sleep(1_000); // what a start leaves behind settles
      return await measure(endpoint, worker);
    } finally {
      await worker.close();
    }
  });
}

async function withEndpoint<Result>(use: (endpoint: Endpoint) => Promise<Result>): Promise<Result> {
  const takesAtMs: number[] = [];
  const resultsAtMs: number[] = [];
  const local = await startLocalRunpod({
    endpointId: 'bench',
    apiKey: 'bench',
    rateLimits: false,
    onExchange({ operation, status, body, reply, endedAtMs }) {
      if (status !== 200) return;
      if (operation.startsWith('job-take')) {
        const jobs = [JSON.parse(reply)].flat();
        takesAtMs.push(...jobs.map(() => endedAtMs));
      }
      if (operation === 'job-done' && !body.includes('"IN_PROGRESS"')) resultsAtMs.push(endedAtMs);
    },
  });
  const client = createRunpodClient({ baseUrl: local.baseUrl, endpointId: 'bench', apiKey: 'bench' });
  try {
    return await use({ client, local, takesAtMs, resultsAtMs });
  } finally {
    await local.close();
  }
}

/** @throws {Error} after two minutes */
async function until(isSo: () => boolean): Promise<void> {
  const deadlineMs = performance.now() + 120_000;
  while (!isSo()) {
    if (performance.now() > deadlineMs)
      throw new Error('A worker did not do in two minutes what was waited for.');
    await sleep(2);
  }
}
