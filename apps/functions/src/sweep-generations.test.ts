import { randomUUID } from 'node:crypto';
import { generationPath, jobRecordPath } from '@firepod/contract';
import { Timestamp } from 'firebase-admin/firestore';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from 'vitest';
import { type LocalStack, startLocalStack } from '../test/local-stack.ts';
import { submitTestGeneration, type TestGeneration, testGeneration } from '../test/test-generation.ts';
import { sweepGenerations } from './sweep-generations.ts';

let stack: LocalStack;

beforeAll(async () => {
  stack = await startLocalStack();
});
afterAll(() => stack.close());
beforeEach(() => stack.firestore.recursiveDelete(stack.firestore.collection('firepod_jobs')));
afterEach(() => vi.unstubAllEnvs());

const LONG_AGO = Timestamp.fromMillis(0);

/** As a function leaves it that died before it called RunPod. */
async function submitWithoutDispatch(): Promise<TestGeneration> {
  const fileUid = randomUUID();
  const location = { path: generationPath('user-1', 'image', fileUid), fileUid };
  await stack.context().store.transition(location, {
    type: 'submit',
    generation: {
      ...location,
      userId: 'user-1',
      task: 'text2img',
      requestData: { prompt: 'a red apple' },
      promptWords: [],
      parent: null,
      input: { prompt: 'a red apple', file_uid: fileUid },
    },
  });
  return testGeneration(stack, location);
}

function change(generation: TestGeneration, fields: Record<string, unknown>) {
  return stack.firestore.doc(jobRecordPath(generation.fileUid)).update(fields);
}

function sweep() {
  return sweepGenerations(stack.context(), Date.now());
}

test('a generation that never reached RunPod is sent when its time has come, and not before', async () => {
  const generation = await submitWithoutDispatch();
  expect(await sweep()).toEqual({ due: 0, mended: 0 });
  await change(generation, { due_at: LONG_AGO });
  expect(await sweep()).toEqual({ due: 1, mended: 1 });
  const job = await stack.worker.take(generation.fileUid);
  expect(job.input).toEqual({ prompt: 'a red apple', file_uid: generation.fileUid });
  expect(await generation.document()).toMatchObject({ status: 'queued', job: { id: job.id, attempt: 2 } });
  expect(await sweep()).toEqual({ due: 0, mended: 0 });
});

test('a generation that RunPod never takes fails when there were enough attempts', async () => {
  vi.stubEnv('RUNPOD_ENDPOINT_BASE_URL', 'http://127.0.0.1:9/v2');
  const generation = await submitWithoutDispatch();
  for (const _attempt of [1, 2, 3]) {
    await change(generation, { due_at: LONG_AGO });
    await sweep();
  }
  expect(await generation.document()).toMatchObject({ status: 'failed', error_code: 'dispatch_failed' });
  expect(await generation.record()).toBeUndefined();
});

test('a generation whose worker fell silent is sent again; one whose worker speaks is left alone', async () => {
  const [silent, speaking] = [await submitWithoutDispatch(), await submitWithoutDispatch()];
  await silent.claim('job-1');
  await speaking.claim('job-2');
  await change(silent, { due_at: LONG_AGO, lease_renewed_at: LONG_AGO });
  await change(speaking, { due_at: LONG_AGO });
  expect(await sweep()).toEqual({ due: 2, mended: 1 });
  const job = await stack.worker.take(silent.fileUid);
  expect(await silent.document()).toMatchObject({ status: 'processing', job: { id: job.id, attempt: 2 } });
  expect(await speaking.document()).toMatchObject({ status: 'processing', job: { id: 'job-2', attempt: 1 } });
});

test('a generation whose webhook never came ends as its job did, and is not painted again', async () => {
  vi.stubEnv('FIREPOD_WEBHOOK_URL', 'http://127.0.0.1:9/runpodWebhook');
  const generation = await submitTestGeneration(stack, await stack.signIn());
  const job = await stack.worker.take(generation.fileUid);
  await generation.claim(job.id);
  const generation_data = { image_urls: ['https://example.com/a.png'], seed: 7 };
  await stack.worker.post(job.id, { output: { file_uid: generation.fileUid, attempt: 1, generation_data } });
  await change(generation, { due_at: LONG_AGO, lease_renewed_at: LONG_AGO });
  expect(await sweep()).toEqual({ due: 1, mended: 1 });
  expect(await generation.document()).toMatchObject({ status: 'completed', generation_data });
  expect(await generation.record()).toBeUndefined();
});

test('a lapsed lease counts where RunPod cannot be asked', async () => {
  const generation = await submitWithoutDispatch();
  await generation.claim('job-1');
  await change(generation, { due_at: LONG_AGO, lease_renewed_at: LONG_AGO });
  vi.stubEnv('RUNPOD_ENDPOINT_BASE_URL', 'http://127.0.0.1:9/v2');
  expect(await sweep()).toEqual({ due: 1, mended: 1 });
  expect(await generation.document()).toMatchObject({ job: { id: null, attempt: 2 } });
});

test('a record that was left behind by a generation that has ended goes', async () => {
  const generation = await submitWithoutDispatch();
  await stack.firestore.doc(generation.path).update({ status: 'completed' });
  await change(generation, { due_at: LONG_AGO });
  expect(await sweep()).toEqual({ due: 1, mended: 1 });
  expect(await generation.record()).toBeUndefined();
  expect(await generation.document()).toMatchObject({ status: 'completed' });
});

test('a record that cannot be read keeps no other from being mended', async () => {
  await stack.firestore.doc('firepod_jobs/broken').set({ path: 'nowhere', due_at: LONG_AGO });
  const generation = await submitWithoutDispatch();
  await change(generation, { due_at: LONG_AGO });
  expect(await sweep()).toEqual({ due: 2, mended: 1 });
  expect((await generation.record())?.['runpod_id']).toEqual(expect.any(String));
});

test('more records than fit on a page are all looked at', async () => {
  const batch = stack.firestore.batch();
  const paths = Array.from({ length: 120 }, () => `firepod_jobs/${randomUUID()}`);
  for (const path of paths) {
    batch.set(stack.firestore.doc(path), { path: generationPath('gone', 'image', 'gone'), due_at: LONG_AGO });
  }
  await batch.commit();
  expect(await sweep()).toEqual({ due: 120, mended: 120 });
});

test('the submitted generation of a user is not due', async () => {
  const generation = await submitTestGeneration(stack, await stack.signIn());
  expect(await sweep()).toEqual({ due: 0, mended: 0 });
  expect(await generation.document()).toMatchObject({ status: 'queued' });
});
