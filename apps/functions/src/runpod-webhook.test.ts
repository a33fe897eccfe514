import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import {
  eventually,
  type LocalStack,
  startLocalStack,
  type TestUser,
  WEBHOOK_SECRET,
} from '../test/local-stack.ts';
import { submitTestGeneration, type TestGeneration } from '../test/test-generation.ts';
import { webhookUrl } from './webhook-token.ts';

let stack: LocalStack;
let user: TestUser;

beforeAll(async () => {
  stack = await startLocalStack();
});
afterAll(() => stack.close());
afterEach(() => vi.unstubAllEnvs());

async function submit(): Promise<TestGeneration> {
  user = await stack.signIn();
  return submitTestGeneration(stack, user);
}

/** Calls the webhook as RunPod does, at the address that a job of this attempt was given. */
async function callWebhook(generation: { fileUid: string }, body: unknown, attempt = 1) {
  const url = webhookUrl(`${stack.functionsUrl}/runpodWebhook`, WEBHOOK_SECRET, {
    fileUid: generation.fileUid,
    attempt,
  });
  return post(url, body);
}

async function post(url: string, body: unknown) {
  const headers = { 'content-type': 'application/json' };
  const response = await fetch(url, { method: 'POST', headers, body: JSON.stringify(body) });
  return { httpStatus: response.status, ...((await response.json()) as { message: string }) };
}

const DATA = { image_urls: ['https://example.com/a.png'], seed: 7 };

function outputOf(generation: TestGeneration, attempt: number, data: unknown = DATA) {
  const user_id = generation.path.split('/')[1];
  return {
    status: 'completed',
    file_uid: generation.fileUid,
    user_id,
    media_type: 'image',
    attempt,
    generation_data: data,
  };
}

describe('a webhook that is not ours', () => {
  test.each([
    ['without a signature', ''],
    ['with a forged one', `&token=${'0'.repeat(64)}`],
  ])('%s is refused and changes nothing', async (_name, token) => {
    const generation = await submit();
    const url = `${stack.functionsUrl}/runpodWebhook?file_uid=${generation.fileUid}&attempt=1${token}`;
    const runpodId = (await generation.record())?.['runpod_id'];
    expect(await post(url, { id: runpodId, status: 'FAILED' })).toMatchObject({ httpStatus: 403 });
    expect(await generation.document()).toMatchObject({
      status: 'queued',
      job: { id: runpodId, attempt: 1 },
    });
  });

  test("with another generation's signature is refused", async () => {
    const [generation, other] = [await submit(), await submit()];
    const signed = new URL(
      webhookUrl(`${stack.functionsUrl}/runpodWebhook`, WEBHOOK_SECRET, {
        fileUid: other.fileUid,
        attempt: 1,
      }),
    );
    signed.searchParams.set('file_uid', generation.fileUid);
    expect(await post(signed.href, {})).toMatchObject({ httpStatus: 403 });
  });

  test('by GET is refused', async () => {
    const response = await fetch(`${stack.functionsUrl}/runpodWebhook`);
    expect(response.status).toBe(405);
  });
});

describe('a webhook whose body says more than /status', () => {
  test('does not complete what is still running', async () => {
    const generation = await submit();
    const job = await stack.worker.take(generation.fileUid);
    await generation.claim(job.id);
    const body = { id: job.id, status: 'COMPLETED', output: outputOf(generation, 1) };
    expect(await callWebhook(generation, body)).toEqual({ httpStatus: 200, message: 'running' });
    expect(await generation.document()).toMatchObject({ status: 'processing' });
  });

  test("does not fail a generation by another generation's failed job", async () => {
    const [generation, other] = [await submit(), await submit()];
    const job = await stack.worker.take(other.fileUid);
    await stack.context().runpod.cancel(job.id);
    expect(await callWebhook(generation, { id: job.id, status: 'CANCELLED' })).toEqual({
      httpStatus: 200,
      message: 'unchanged',
    });
    expect(await generation.document()).toMatchObject({ status: 'queued' });
  });
});

describe('a webhook that RunPod sends itself', () => {
  test('sends a failed job again, with the same input, as the next attempt', async () => {
    const generation = await submit();
    const first = await stack.worker.take(generation.fileUid);
    await stack.worker.post(first.id, { error: 'the worker broke' });
    const second = await stack.worker.take(generation.fileUid);
    expect(second.id).not.toBe(first.id);
    expect(second.input).toEqual(first.input);
    await eventually(async () => (await generation.record())?.['runpod_id'] === second.id);
    expect(await generation.record()).toMatchObject({ attempt: 2 });
    expect(await generation.document()).toMatchObject({
      status: 'queued',
      job: { id: second.id, attempt: 2 },
    });
  });

  test('gives a claim of the next attempt to the worker that gets the job again', async () => {
    const generation = await submit();
    const first = await stack.worker.take(generation.fileUid);
    await generation.claim(first.id);
    await stack.worker.post(first.id, { error: 'the worker broke' });
    const second = await stack.worker.take(generation.fileUid);
    await generation.claim(second.id, 'worker-2');
    expect(await generation.document()).toMatchObject({
      status: 'processing',
      job: { id: second.id, attempt: 2 },
    });
  });

  test('fails the generation when there were enough attempts', async () => {
    vi.stubEnv('FIREPOD_MAX_ATTEMPTS', '2');
    const generation = await submit();
    for (const _attempt of [1, 2]) {
      const job = await stack.worker.take(generation.fileUid);
      await eventually(async () => (await generation.record())?.['runpod_id'] === job.id);
      await stack.worker.post(job.id, { error: 'the worker broke' });
    }
    await eventually(async () => (await generation.document())?.['status'] === 'failed');
    expect(await generation.document()).toMatchObject({
      error_code: 'worker_lost',
      error: expect.stringMatching(/\w+/),
    });
    expect(await generation.record()).toBeUndefined();
  });

  test('settles a job that was cancelled at RunPod itself', async () => {
    const generation = await submit();
    await stack.context().runpod.cancel((await generation.record())?.['runpod_id']);
    await eventually(async () => (await generation.document())?.['status'] === 'failed');
    expect(await generation.document()).toMatchObject({ error_code: 'cancelled' });
  });

  test('finishes a document that its worker could not finish from the output', async () => {
    const generation = await submit();
    const job = await stack.worker.take(generation.fileUid);
    await generation.claim(job.id);
    await stack.worker.post(job.id, { output: outputOf(generation, 1) });
    await eventually(async () => (await generation.document())?.['status'] === 'completed');
    const document = await generation.document();
    expect(document).toMatchObject({ generated: true, generation_data: DATA, modified: expect.anything() });
    expect(document).not.toHaveProperty('progress');
    expect(await generation.record()).toBeUndefined();
  });
});

describe('a completed job', () => {
  test('whose output is of an attempt that was overtaken changes nothing', async () => {
    const generation = await submit();
    const job = await stack.worker.take(generation.fileUid);
    await generation.claim(job.id);
    await stack.firestore.doc(`firepod_jobs/${generation.fileUid}`).update({ attempt: 2 });
    await stack.worker.post(job.id, { output: outputOf(generation, 1) });
    expect(await callWebhook(generation, { id: job.id })).toEqual({ httpStatus: 200, message: 'unchanged' });
    expect(await generation.document()).toMatchObject({ status: 'processing' });
  });

  test.each([[null], [{ status: 'completed' }], [{ file_uid: 'another', generation_data: DATA }]])(
    'whose output is not of this generation (%j) changes nothing',
    async (output) => {
      const generation = await submit();
      const job = await stack.worker.take(generation.fileUid);
      await generation.claim(job.id);
      await stack.worker.post(job.id, { output });
      expect(await callWebhook(generation, { id: job.id })).toEqual({
        httpStatus: 200,
        message: 'unchanged',
      });
      expect(await generation.document()).toMatchObject({ status: 'processing' });
    },
  );

  test('whose document has ended changes nothing', async () => {
    const generation = await submit();
    const job = await stack.worker.take(generation.fileUid);
    await generation.claim(job.id);
    await user.call('cancelGeneration', { file_uid: generation.fileUid, media_type: 'image' });
    const before = await generation.document();
    expect(await callWebhook(generation, { id: job.id })).toMatchObject({ httpStatus: 200 });
    expect(await generation.document()).toEqual(before);
  });
});

describe('a job about which RunPod cannot tell', () => {
  test('because it no longer keeps it is left to the sweep', async () => {
    const generation = await submit();
    expect(await callWebhook(generation, { id: 'long-gone' })).toEqual({
      httpStatus: 200,
      message: 'unknown',
    });
    expect(await generation.document()).toMatchObject({ status: 'queued' });
  });

  test('because it cannot be reached is asked about again', async () => {
    const generation = await submit();
    vi.stubEnv('RUNPOD_ENDPOINT_BASE_URL', 'http://127.0.0.1:9/v2');
    expect(await callWebhook(generation, {})).toMatchObject({ httpStatus: 503 });
    expect(await generation.document()).toMatchObject({ status: 'queued' });
  });
});
