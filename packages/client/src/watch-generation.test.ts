import { generationPath } from '@firepod/contract';
import { FieldValue } from 'firebase-admin/firestore';
import { afterAll, beforeAll, expect, test } from 'vitest';
import {
  type ConnectedApp,
  eventually,
  type LocalFirebase,
  startLocalFirebase,
} from '../test/local-firebase.ts';
import type { FirepodError } from './errors.ts';
import { type FirepodGeneration, referenceTo } from './generation.ts';
import { waitForCompletion } from './wait-for-completion.ts';
import { watchGeneration } from './watch-generation.ts';

let firebase: LocalFirebase;
let app: ConnectedApp;

beforeAll(async () => {
  firebase = await startLocalFirebase();
  app = await firebase.connect();
});
afterAll(() => firebase.close());

function newReference(userId = app.userId) {
  return referenceTo(generationPath(userId, 'image', crypto.randomUUID()));
}

const QUEUED = {
  status: 'queued',
  created_at: FieldValue.serverTimestamp(),
  request_data: { prompt: 'a red apple' },
};

test('a generation is followed from before it exists until it is deleted', async () => {
  const reference = newReference();
  const seen: (string | null)[] = [];
  const last: { generation: FirepodGeneration | null } = { generation: null };
  const stop = watchGeneration(
    app.firestore,
    reference,
    (generation) => {
      last.generation = generation;
      seen.push(generation?.status ?? null);
    },
    (error) => seen.push(error.code),
  );
  const document = firebase.adminFirestore.doc(reference.path);
  await document.set(QUEUED);
  await eventually(() => seen.length === 1);
  expect(last.generation).toMatchObject({ reference, file_uid: reference.file_uid, user_id: app.userId });
  await document.update({
    status: 'processing',
    progress: { phase: 'denoising', step: 3, steps: 25, percent: 12 },
  });
  await eventually(() => seen.length === 2);
  expect(last.generation).toMatchObject({ progress: { phase: 'denoising', percent: 12, eta_seconds: null } });
  await document.delete();
  await eventually(() => seen.length === 3);
  expect(seen).toEqual(['queued', 'processing', null]);
  stop();
  await document.set(QUEUED);
  const again = watchGeneration(
    app.firestore,
    reference,
    () => seen.push('again'),
    () => {},
  );
  await eventually(() => seen.length === 4);
  again();
  expect(seen).toEqual(['queued', 'processing', null, 'again']);
});

test('a document in a state that nobody knows is not shown', async () => {
  const reference = newReference();
  const document = firebase.adminFirestore.doc(reference.path);
  await document.set({ ...QUEUED, status: 'pending' });
  const seen: unknown[] = [];
  const stop = watchGeneration(
    app.firestore,
    reference,
    (generation) => seen.push(generation?.status),
    () => {},
  );
  await document.update({ status: 'queued' });
  await eventually(() => seen.length > 0);
  stop();
  expect(seen).toEqual(['queued']);
});

test("another user's generation is refused", async () => {
  const error = await new Promise<FirepodError>((resolve) => {
    watchGeneration(app.firestore, newReference('somebody-else'), () => {}, resolve);
  });
  expect(error).toMatchObject({ name: 'FirepodError', code: 'permission_denied' });
});

test('waiting resolves with the results and shows every state on the way', async () => {
  const reference = newReference();
  const document = firebase.adminFirestore.doc(reference.path);
  await document.set(QUEUED);
  const seen: string[] = [];
  const completed = waitForCompletion(app.firestore, reference, {
    onChange: ({ status }) => seen.push(status),
  });
  await eventually(() => seen.includes('queued'));
  await document.update({ status: 'processing' });
  await eventually(() => seen.includes('processing'));
  await document.update({
    status: 'completed',
    generation_data: { image_urls: ['https://example.com/a.png'] },
  });
  await expect(completed).resolves.toMatchObject({
    status: 'completed',
    generation_data: { image_urls: ['https://example.com/a.png'] },
  });
  expect(seen).toEqual(['queued', 'processing', 'completed']);
});

test("a generation that failed rejects with its code and the writer's sentence", async () => {
  const reference = newReference();
  const error = 'The GPU ran out of memory at 2048 × 2048.';
  await firebase.adminFirestore
    .doc(reference.path)
    .set({ ...QUEUED, status: 'failed', error, error_code: 'out_of_memory' });
  await expect(waitForCompletion(app.firestore, reference)).rejects.toMatchObject({
    name: 'FirepodError',
    code: 'out_of_memory',
    message: error,
    retryable: false,
  });
});

test('waiting ends when the generation is deleted', async () => {
  const reference = newReference();
  const document = firebase.adminFirestore.doc(reference.path);
  await document.set(QUEUED);
  const waiting = waitForCompletion(app.firestore, reference, { onChange: () => void document.delete() });
  await expect(waiting).rejects.toMatchObject({ code: 'not_found' });
});

test('the caller can stop waiting, also before it began', async () => {
  const reason = new Error('the page was left');
  await expect(
    waitForCompletion(app.firestore, newReference(), { signal: AbortSignal.abort(reason) }),
  ).rejects.toMatchObject({ code: 'aborted', cause: reason });
  const controller = new AbortController();
  const waiting = waitForCompletion(app.firestore, newReference(), { signal: controller.signal });
  controller.abort(reason);
  await expect(waiting).rejects.toMatchObject({ code: 'aborted', cause: reason });
});
