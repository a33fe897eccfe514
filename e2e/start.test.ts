/** `npm start` from the outside: what it prints and refuses, how it ends, what it survives, and what a restart finds again. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createFirepodClient } from '@firepod/client';
import { connectClientApp, findBusyPorts, portPlan } from '@firepod/dev';
import { deleteApp } from 'firebase/app';
import { createUserWithEmailAndPassword, signInWithEmailAndPassword } from 'firebase/auth';
import { doc, getDoc } from 'firebase/firestore';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { descendantsOf, isRunning } from './process-tree.ts';
import {
  findBelow,
  findFreeOffset,
  readAddresses,
  runProgram,
  type StartedProgram,
  startProgram,
  untilGone,
} from './started-program.ts';

let email = '';
const password = 'correct horse';
const shortRequest = { prompt: 'a red apple', num_inference_steps: 2 };
/** Seconds of work on two cores: long enough to be interrupted. */
const longRequest = { prompt: 'a red apple', num_inference_steps: 100, width: 128, height: 128 };

let dataFolder: string;
let offset: number;
let started: StartedProgram | undefined;
const cleanUps: (() => Promise<unknown>)[] = [];

beforeAll(async () => {
  dataFolder = await mkdtemp(join(tmpdir(), 'firepod-start-'));
  offset = await findFreeOffset();
});
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});
afterAll(async () => {
  await killTree(started);
  await rm(dataFolder, { recursive: true, force: true });
});

async function start(via: 'npm' | 'node'): Promise<string> {
  const words = ['start', '--data', dataFolder, '--port-offset', String(offset)];
  // A short lease: a job that was torn from its worker need not wait long for the next one.
  started = startProgram(via, words, { FIREPOD_LEASE_SECONDS: '5' });
  return started.ready;
}

/** Everything of the running stack; the first is what the test started. */
function allPids(): number[] {
  const pid = started?.pid ?? Number.NaN;
  return [pid, ...descendantsOf(pid).map((process) => process.pid)];
}

async function killTree(program: StartedProgram | undefined): Promise<void> {
  if (program === undefined) return;
  const pids = [program.pid, ...descendantsOf(program.pid).map(({ pid }) => pid)].filter(isRunning);
  for (const pid of pids) process.kill(pid, 'SIGKILL');
  await untilGone(pids);
}

async function expectAllGone(pids: readonly number[]): Promise<void> {
  await untilGone(pids);
  expect(await findBusyPorts(portPlan({ offset }), '127.0.0.1')).toEqual([]);
}

/** A client of a new account, or of the last one again; ends with the test. */
async function signIn(how: typeof signInWithEmailAndPassword) {
  if (how === createUserWithEmailAndPassword) email = `${crypto.randomUUID()}@example.com`;
  const connected = await connectClientApp(readAddresses(dataFolder), crypto.randomUUID());
  cleanUps.push(() => deleteApp(connected.app));
  await how(connected.auth, email, password);
  const client = createFirepodClient(connected);
  const statusOf = async (path: string) =>
    (await getDoc(doc(connected.firestore, path))).get('status') as string;
  return { client, statusOf };
}

const complete = (client: ReturnType<typeof createFirepodClient>, generation: { path: string }) =>
  client.waitForCompletion(generation as never, { signal: AbortSignal.timeout(90_000) });

describe('refused before anything starts', () => {
  test('a --port-offset that is none', async () => {
    for (const value of ['ten', '60000']) {
      const { code, output } = await runProgram(['start', `--port-offset=${value}`]);
      expect(output).toContain(
        `--port-offset: "${value}" is not allowed; expected a whole number from 0 to 50000`,
      );
      expect(code).toBe(1);
    }
  });

  test('a model folder that is not there, and settings that no part would take', async () => {
    const missing = await runProgram(['start'], { FIREPOD_MODEL: '/nowhere/sdxl' });
    expect(missing.output).toContain('FIREPOD_MODEL: /nowhere/sdxl is not there; expected a folder');
    expect(missing.code).toBe(1);
    const wrong = await runProgram(['start'], { FIREPOD_LEASE_SECONDS: '2', FIREPOD_DISPATCH: 'walk' });
    expect(wrong.output).toContain('FIREPOD_LEASE_SECONDS: 2 is not allowed; expected a whole number from 5');
    expect(wrong.output).toContain('FIREPOD_DISPATCH: walk is not allowed; expected run or runsync');
    expect(wrong.output).not.toMatch(/\n\s+at /);
  });
});

describe('while it runs', () => {
  test('it prints the address where the studio and its configuration answer', async () => {
    const url = await start('npm');
    expect(url).toBe(`http://127.0.0.1:${portPlan({ offset }).web}`);
    expect(await (await fetch(url)).text()).toContain('<div id="root">');
    const configuration = await (await fetch(`${url}/__/firebase/init.json`)).json();
    expect(configuration).toMatchObject({
      projectId: 'demo-firepod',
      appId: readAddresses(dataFolder).appId,
    });
  });

  test('a second start from its folder is told where it runs', async () => {
    const second = await runProgram(['start', '--data', dataFolder]);
    expect(second.output).toContain(`already runs from ${dataFolder}: http://127.0.0.1:`);
    expect(second.code).toBe(1);
  });

  test('a start on its ports names each with the service, the holder and the holder’s command', async () => {
    const other = join(dataFolder, 'other');
    const second = await runProgram(['start', '--data', other, '--port-offset', String(offset)]);
    const holder = findBelow(started?.pid ?? 0, 'processes/data-services.js');
    const { firestore } = portPlan({ offset });
    expect(second.output).toMatch(
      new RegExp(`port ${firestore}, wanted for firestore, is held by pid ${holder} \\(.*data-services\\.js`),
    );
    for (const port of Object.values(portPlan({ offset }))) expect(second.output).toContain(`port ${port},`);
    expect(second.code).toBe(1);
  });

  test('generate joins it', async () => {
    const out = join(dataFolder, 'joined.png');
    const words = [
      'generate',
      'a red apple',
      '--num-inference-steps',
      '2',
      '--out',
      out,
      '--data',
      dataFolder,
    ];
    const { code, output } = await runProgram(words);
    expect(output).not.toContain('starting\n');
    expect(output.trimEnd().split('\n').slice(-2)).toEqual(['completed', out]);
    expect(code).toBe(0);
  });

  test.each(['data-services', 'runpod', 'functions'])(
    'when its %s process is killed it is started again on its ports, and what was asked for is done',
    async (service) => {
      const pid = started?.pid ?? 0;
      const { client, statusOf } = await signIn(createUserWithEmailAndPassword);
      const running = await client.submit(longRequest);
      const queued = await client.submit(shortRequest);
      await vi.waitUntil(async () => (await statusOf(running.path)) === 'processing', { timeout: 60_000 });
      const victim = findBelow(pid, `processes/${service}.js`);
      process.kill(victim, 'SIGKILL');
      expect((await complete(client, running)).generation_data.image_urls).toHaveLength(1);
      expect((await complete(client, queued)).job?.attempt).toBe(1);
      await vi.waitUntil(async () => (await findBusyPorts(portPlan({ offset }), '127.0.0.1')).length === 6, {
        timeout: 20_000,
      });
      expect(findBelow(pid, `processes/${service}.js`)).not.toBe(victim);
      expect(started?.output()).toContain(`The ${service} process is started again: it ended with SIGKILL.`);
      await complete(client, await client.submit(shortRequest));
    },
  );

  test('SIGTERM to npm alone ends all of it', async () => {
    const pids = allPids();
    process.kill(started?.pid ?? 0, 'SIGTERM');
    await expectAllGone(pids);
  });
});

describe('started again from the same folder', () => {
  test('the account is there, its pictures are listed and still download', async () => {
    await start('node');
    const { client } = await signIn(signInWithEmailAndPassword);
    const listed = await new Promise<Parameters<Parameters<typeof client.list>[1]>[0]>((resolve, reject) => {
      const stop = client.list(
        {},
        (generations) => {
          if (generations.length < 3) return;
          stop();
          resolve(generations);
        },
        reject,
      );
    });
    expect(listed.map(({ status }) => status)).toEqual(Array(3).fill('completed'));
    for (const generation of listed) {
      const url = (generation.status === 'completed' && generation.generation_data.image_urls?.[0]) || '';
      const response = await fetch(url);
      expect(response.headers.get('content-type')).toBe('image/png');
      expect((await response.arrayBuffer()).byteLength).toBeGreaterThan(1000);
    }
  });

  test('Ctrl-C in the middle of a job ends all of it, and the next start does the job', async () => {
    const { client, statusOf } = await signIn(signInWithEmailAndPassword);
    // More than a worker finishes in the second that it is left.
    const running = await client.submit({
      ...longRequest,
      num_inference_steps: 150,
      width: 192,
      height: 192,
    });
    const queued = await client.submit(shortRequest);
    await vi.waitUntil(async () => (await statusOf(running.path)) === 'processing', { timeout: 60_000 });
    const pids = allPids();
    started?.pressCtrlC();
    expect(await started?.exited).toBe(0);
    await expectAllGone(pids);

    await start('node');
    expect((await complete(client, running)).job?.attempt).toBe(2);
    expect((await complete(client, queued)).job?.attempt).toBe(1);
  });

  test('kill -9 of it leaves nothing behind', async () => {
    const pids = allPids();
    process.kill(started?.pid ?? 0, 'SIGKILL');
    await expectAllGone(pids);
  });

  test('a second Ctrl-C no longer waits for a service that does not end', async () => {
    // The note of the killed stack is still there, and is not believed.
    await start('node');
    const pids = allPids();
    const stuck = findBelow(started?.pid ?? 0, 'processes/functions.js');
    process.kill(stuck, 'SIGSTOP');
    started?.pressCtrlC();
    await vi.waitUntil(() => started?.output().includes('Ending'));
    await new Promise((resolve) => setTimeout(resolve, 500)); // less would be the same key press
    started?.pressCtrlC();
    expect(await started?.exited).toBe(130);
    process.kill(stuck, 'SIGCONT');
    await expectAllGone(pids);
  });
});
