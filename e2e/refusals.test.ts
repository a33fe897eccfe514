/** Each rule of the request table, broken, at the function's door and at the worker's. */
import { connectClientApp } from '@firepod/dev';
import { createRunpodClient, parseJobError, type RunpodClient } from '@firepod/runpod/client';
import { deleteApp } from 'firebase/app';
import { signInAnonymously } from 'firebase/auth';
import { collection, getDocs } from 'firebase/firestore';
import { httpsCallable } from 'firebase/functions';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type BrokenRule, brokenRules } from './broken-requests.ts';
import { startTestStack, type TestStack } from './running-stack.ts';

let stack: TestStack;
let app: Awaited<ReturnType<typeof connectClientApp>>;
let runpod: RunpodClient;
let userId: string;

beforeAll(async () => {
  stack = await startTestStack();
  app = await connectClientApp(stack, 'refusals');
  userId = (await signInAnonymously(app.auth)).user.uid;
  const baseUrl = `http://${stack.host}:${stack.ports.runpod}/v2`;
  runpod = createRunpodClient({ baseUrl, endpointId: stack.endpointId, apiKey: stack.runpodApiKey });
});
afterAll(async () => {
  await deleteApp(app.app);
  await stack?.close();
});

const withPrompt = ({ fields }: BrokenRule) => ({ prompt: 'a red apple', ...fields });

function expectNamed(message: string, { field, shows, expected }: BrokenRule) {
  expect(message).toContain(field);
  expect(message).toContain(shows);
  expect(message).toMatch(expected);
  expect(message).not.toMatch(/\n\s+at |node_modules/);
}

describe('the function', () => {
  test.each(brokenRules)('refuses $rule', async (broken) => {
    const error = await httpsCallable(
      app.functions,
      'submitGeneration',
    )(withPrompt(broken)).then(
      () => undefined,
      (thrown: { code: string; message: string }) => thrown,
    );
    expect(error?.code).toBe('functions/invalid-argument');
    expectNamed(error?.message ?? '', broken);
  });

  test('refuses a field that it does not know, naming the nearest one', async () => {
    const request = { prompt: 'a red apple', guidence_scale: 5 };
    await expect(httpsCallable(app.functions, 'submitGeneration')(request)).rejects.toMatchObject({
      code: 'functions/invalid-argument',
      message: expect.stringMatching(/guidence_scale.*guidance_scale/s),
    });
  });

  test('refuses ids and places that only a function may set', async () => {
    for (const field of ['user_id', 'file_uid', 'use_cloud_storage']) {
      const request = { prompt: 'a red apple', [field]: 'x' };
      await expect(httpsCallable(app.functions, 'submitGeneration')(request)).rejects.toMatchObject({
        code: 'functions/invalid-argument',
        message: expect.stringContaining(field),
      });
    }
  });

  test.each(['7-chars', 'x'.repeat(65), 'a/b/c/d/e'])('refuses the request_id %s', async (requestId) => {
    const request = { prompt: 'a red apple', request_id: requestId };
    await expect(httpsCallable(app.functions, 'submitGeneration')(request)).rejects.toMatchObject({
      code: 'functions/invalid-argument',
      message: expect.stringMatching(/request_id: ".*" is not allowed; expected 8 to 64 letters/),
    });
  });

  test('has queued nothing of all that', async () => {
    const images = await getDocs(collection(app.firestore, 'generations', userId, 'images'));
    const videos = await getDocs(collection(app.firestore, 'generations', userId, 'videos'));
    expect(images.size + videos.size).toBe(0);
    const { jobs } = await runpod.health();
    expect(jobs).toMatchObject({ inQueue: 0, inProgress: 0, completed: 0, failed: 0 });
  });
});

describe('the worker', () => {
  test.each(brokenRules)('refuses $rule', async (broken) => {
    const ids = { user_id: userId, file_uid: crypto.randomUUID() };
    const job = await runpod.runSync({ ...withPrompt(broken), ...ids }, { waitMs: 60_000 });
    expect(job.status).toBe('FAILED');
    const { code, message } = parseJobError(job.error);
    expect(code).toBe('invalid_argument');
    expectNamed(message, broken);
  });

  test.each([
    ['user_id', 'a/b'],
    ['user_id', '..'],
    ['user_id', '__x__'],
    ['file_uid', 'a_1'],
    ['file_uid', '../x'],
    ['use_cloud_storage', 'yes'],
  ])('refuses %s: %s', async (field, value) => {
    const good = { user_id: userId, file_uid: crypto.randomUUID(), use_cloud_storage: true };
    const job = await runpod.runSync({ prompt: 'a red apple', ...good, [field]: value }, { waitMs: 60_000 });
    expect(job.status).toBe('FAILED');
    expect(job.error).toContain(field);
    expect(job.error).toContain(value);
  });

  test.each(['user_id', 'file_uid'])('refuses cloud storage without %s', async (field) => {
    const ids = { user_id: userId, file_uid: crypto.randomUUID(), use_cloud_storage: true };
    const job = await runpod.runSync({ prompt: 'a red apple', ...ids, [field]: null }, { waitMs: 60_000 });
    expect(job.status).toBe('FAILED');
    expect(parseJobError(job.error).message).toMatch(new RegExp(`^${field}: is missing; expected 1 to 128`));
  });

  test('refuses a newer contract with the way out', async () => {
    const input = { prompt: 'a red apple', user_id: userId, file_uid: crypto.randomUUID(), contract: 2 };
    const job = await runpod.runSync(input, { waitMs: 60_000 });
    expect(job.status).toBe('FAILED');
    expect(job.error).toMatch(/update the worker/i);
  });

  test('accepts fields of a newer function and reports them', async () => {
    const input = { prompt: 'a red apple', num_inference_steps: 2, sparkle: 9 };
    const job = await runpod.runSync(input, { waitMs: 60_000 });
    expect(job.status).toBe('COMPLETED');
    expect(JSON.stringify(job.output)).toContain('sparkle');
  });
});
