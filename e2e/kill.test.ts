/** A worker, or the engine below it, is killed in the middle of a job: the job is done again, and done once. */
import { createRunpodClient, type RunpodClient } from '@firepod/runpod/client';
import { afterAll, beforeAll, beforeEach, expect, test, vi } from 'vitest';
import { descendantsOf } from './process-tree.ts';
import { startTestStack, type TestStack } from './running-stack.ts';
import { signInTestUser, type TestUser } from './signed-in-user.ts';

let stack: TestStack;
let user: TestUser;
let runpod: RunpodClient;

beforeAll(async () => {
  // A short lease: the next attempt waits until the dead one's has lapsed.
  stack = await startTestStack({ env: { FIREPOD_LEASE_SECONDS: '5' } });
  const baseUrl = `http://${stack.host}:${stack.ports.runpod}/v2`;
  runpod = createRunpodClient({ baseUrl, endpointId: stack.endpointId, apiKey: stack.runpodApiKey });
});
beforeEach(async () => {
  user = await signInTestUser(stack);
  return () => user.close();
});
afterAll(() => stack?.close());

const isWorker = (command: string) => command.includes('apps/worker/dist/main.js');

function findWorker() {
  return descendantsOf(stack.processes.runpod.pid).find(({ command }) => isWorker(command));
}

test.each([
  ['the worker', () => findWorker()],
  ['the engine', () => descendantsOf(findWorker()?.pid ?? -1)[0]],
] as const)(
  'killing %s in the middle of 150 steps leaves one completed generation, made by attempt 2',
  async (_name, find) => {
    const request = { prompt: 'a red apple', num_inference_steps: 150, width: 256, height: 256, seed: 3 };
    const generation = await user.client.submit(request);
    const document = user.adminFirestore.doc(generation.path);
    const completions: string[] = [];
    const stopListening = document.onSnapshot((snapshot) => {
      if (snapshot.get('status') === 'completed')
        completions.push(snapshot.updateTime?.toDate().toISOString() ?? '');
    });

    await vi.waitFor(async () => expect((await document.get()).get('progress.step')).toBeGreaterThan(10), {
      timeout: 60_000,
      interval: 20,
    });
    const victim = find();
    expect(victim).toBeDefined();
    process.kill(victim?.pid ?? Number.NaN, 'SIGKILL');

    const completed = await user.client.waitForCompletion(generation, {
      signal: AbortSignal.timeout(90_000),
    });
    expect(completed.job?.attempt).toBe(2);
    expect(await user.storedNames()).toEqual([
      `generating/${user.userId}/image/${generation.file_uid}.png`,
      `generating/${user.userId}/thumbnail/${generation.file_uid}.webp`,
    ]);
    // The second delivery may still be running; only then can nobody write any more.
    await vi.waitFor(
      async () => expect((await runpod.health()).jobs).toMatchObject({ inQueue: 0, inProgress: 0 }),
      { timeout: 60_000, interval: 100 },
    );
    stopListening();
    expect(new Set(completions).size).toBe(1);
    const record = await user.adminFirestore.doc(`firepod_jobs/${generation.file_uid}`).get();
    expect(record.exists).toBe(false);
  },
);
