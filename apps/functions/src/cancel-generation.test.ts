import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest';
import { type LocalStack, startLocalStack, type TestUser } from '../test/local-stack.ts';
import { submitTestGeneration, type TestGeneration } from '../test/test-generation.ts';
import { dispatchJob } from './job-dispatch.ts';

let stack: LocalStack;
let user: TestUser;

beforeAll(async () => {
  stack = await startLocalStack();
  user = await stack.signIn();
});
afterAll(() => stack.close());
afterEach(() => vi.unstubAllEnvs());

function cancel(generation: TestGeneration, caller = user) {
  return caller.call('cancelGeneration', { file_uid: generation.fileUid, media_type: 'image' });
}

test('a queued generation fails as cancelled, and RunPod drops its job', async () => {
  const generation = await submitTestGeneration(stack, user);
  const runpodId = (await generation.document())?.['job'].id;
  expect(await cancel(generation)).toEqual({ cancelled: true, status: 'failed' });
  expect(await generation.document()).toMatchObject({
    status: 'failed',
    error_code: 'cancelled',
    error: 'The generation was cancelled.',
    completed_at: expect.anything(),
  });
  expect(await generation.record()).toBeUndefined();
  expect((await stack.context().runpod.status(runpodId)).status).toBe('CANCELLED');
});

test('a running generation is cancelled, and its progress goes', async () => {
  const generation = await submitTestGeneration(stack, user);
  const job = await stack.worker.take(generation.fileUid);
  await generation.claim(job.id);
  expect(await cancel(generation)).toEqual({ cancelled: true, status: 'failed' });
  const document = await generation.document();
  expect(document).toMatchObject({
    status: 'failed',
    error_code: 'cancelled',
    job: { id: job.id, attempt: 1 },
  });
  expect(document).not.toHaveProperty('progress');
  expect((await stack.context().runpod.status(job.id)).status).toBe('CANCELLED');
});

test('a second cancel answers the same and changes nothing', async () => {
  const generation = await submitTestGeneration(stack, user);
  await cancel(generation);
  const first = await stack.firestore.doc(generation.path).get();
  expect(await cancel(generation)).toEqual({ cancelled: true, status: 'failed' });
  const second = await stack.firestore.doc(generation.path).get();
  expect(second.updateTime).toEqual(first.updateTime);
});

test.each([
  [{ status: 'completed', generated: true }],
  [{ status: 'failed', error_code: 'timeout', error: 'It took too long.' }],
])('a generation that has ended (%j) says so and stays as it is', async (fields) => {
  const generation = await submitTestGeneration(stack, user);
  await stack.firestore.doc(generation.path).update(fields);
  const before = await generation.document();
  expect(await cancel(generation)).toEqual({ cancelled: false, status: fields.status });
  expect(await generation.document()).toEqual(before);
});

test('a generation is cancelled although RunPod cannot be reached', async () => {
  const generation = await submitTestGeneration(stack, user);
  vi.stubEnv('RUNPOD_ENDPOINT_BASE_URL', 'http://127.0.0.1:9/v2');
  expect(await cancel(generation)).toEqual({ cancelled: true, status: 'failed' });
});

test('a job that RunPod takes after its generation was cancelled is cancelled, too', async () => {
  const generation = await submitTestGeneration(stack, user);
  await cancel(generation);
  const context = stack.context();
  const queued = async () => (await context.runpod.health()).jobs.inQueue;
  const before = await queued();
  const run = vi.spyOn(context.runpod, 'run');
  await dispatchJob(context, { ...generation, attempt: 1, input: { prompt: 'a red apple' } });
  const { id } = await run.mock.results[0]!.value;
  expect((await context.runpod.status(id)).status).toBe('CANCELLED');
  expect(await queued()).toBe(before);
});

test("another user's generation is not found and goes on", async () => {
  const generation = await submitTestGeneration(stack, user);
  await expect(cancel(generation, await stack.signIn())).rejects.toMatchObject({
    code: 'functions/not-found',
    details: { code: 'not_found' },
  });
  expect(await generation.document()).toMatchObject({ status: 'queued' });
});

test.each([
  [null, ['file_uid', 'media_type']],
  [{ file_uid: 'a/b', media_type: 'image' }, ['file_uid']],
  [{ file_uid: 'abc', media_type: 'sound' }, ['media_type']],
])('a call with %j is refused by name', async (data, fields) => {
  const refusal = await user.call('cancelGeneration', data).catch((error) => error);
  expect(refusal.code).toBe('functions/invalid-argument');
  expect(refusal.details.map(({ field }: { field: string }) => field)).toEqual(fields);
});

test('nobody who is not signed in cancels anything', async () => {
  const generation = await submitTestGeneration(stack, user);
  await expect(cancel(generation, await stack.signIn({ isSignedIn: false }))).rejects.toMatchObject({
    code: 'functions/unauthenticated',
  });
  expect(await generation.document()).toMatchObject({ status: 'queued' });
});
