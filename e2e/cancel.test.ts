/** A user cancels: whatever is in flight stops, nothing stays, and nothing after it changes the document. */
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { startTestStack, type TestStack } from './running-stack.ts';
import { signInTestUser, type TestUser } from './signed-in-user.ts';

let stack: TestStack;
let user: TestUser;

beforeAll(async () => {
  stack = await startTestStack();
  user = await signInTestUser(stack);
});
afterAll(async () => {
  await user?.close();
  await stack?.close();
});

const longRequest = { prompt: 'a red apple', num_inference_steps: 150, width: 256, height: 256, seed: 3 };

test('a cancel in the middle stops the engine, fails the document as cancelled and leaves no file', async () => {
  const generation = await user.client.submit(longRequest);
  const document = user.adminFirestore.doc(generation.path);
  await vi.waitFor(async () => expect((await document.get()).get('progress.step')).toBeGreaterThan(10), {
    timeout: 60_000,
    interval: 20,
  });
  const input = (await user.adminFirestore.doc(`firepod_jobs/${generation.file_uid}`).get()).get('input');
  await user.client.cancel(generation);

  const cancelled = await document.get();
  expect(cancelled.data()).toMatchObject({ status: 'failed', error_code: 'cancelled' });
  expect(cancelled.get('progress')).toBeUndefined();
  await expect(user.client.waitForCompletion(generation)).rejects.toMatchObject({ code: 'cancelled' });

  // The engine is free again: a short job ends long before the cancelled one could have.
  const next = await user.client.submit({ prompt: 'a cat', num_inference_steps: 2 });
  await user.client.waitForCompletion(next, { signal: AbortSignal.timeout(30_000) });

  await user.client.cancel(generation);
  expect(input).toBeDefined();
  const late = await fetch(`http://${stack.host}:${stack.ports.runpod}/v2/${stack.endpointId}/runsync`, {
    method: 'POST',
    headers: { Authorization: `Bearer ${stack.runpodApiKey}`, 'Content-Type': 'application/json' },
    body: JSON.stringify({
      input: { ...input, user_id: user.userId, file_uid: generation.file_uid, use_cloud_storage: true },
    }),
  });
  expect(late.status).toBe(200);

  const after = await document.get();
  expect(after.data()).toEqual(cancelled.data());
  expect(after.updateTime).toEqual(cancelled.updateTime);
  expect((await user.storedNames()).filter((name) => name.includes(generation.file_uid))).toEqual([]);
});

test('a job that is still queued is cancelled before a worker sees it', async () => {
  const first = await user.client.submit(longRequest);
  const queued = await user.client.submit({ ...longRequest, seed: 4 });
  await user.client.cancel(queued);
  await user.client.cancel(first);
  const [firstDocument, queuedDocument] = await Promise.all(
    [first, queued].map(async ({ path }) => (await user.adminFirestore.doc(path).get()).data()),
  );
  expect(firstDocument).toMatchObject({ status: 'failed', error_code: 'cancelled' });
  expect(queuedDocument).toMatchObject({ status: 'failed', error_code: 'cancelled' });
  expect(queuedDocument?.['started_at']).toBeUndefined();
});
