/** The integration guide's whole flow, typed as the guide has it, against Firepod. */
import { connectClientApp } from '@firepod/dev';
import { type RunningServer, startFunctionsHost } from '@firepod/local-firebase';
import { deleteApp } from 'firebase/app';
import { signInAnonymously } from 'firebase/auth';
import { httpsCallable } from 'firebase/functions';
import admin from 'firebase-admin';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { startTestStack, type TestStack } from '../running-stack.ts';
import { guideFunctions } from './generate-functions.ts';
import { listenAsTheGuideDoes } from './listeners.ts';

/** The guide's keys in each state, and what ours adds to a document that another function made (docs/guide-differences.md). */
const guideKeys = {
  queued: ['created_at', 'file_uid', 'request_data', 'status', 'user_id'],
  completed: [
    'completed_at',
    'created_at',
    'file_uid',
    'generated',
    'generation_data',
    'modified',
    'request_data',
    'status',
    'user_id',
  ],
  failed: ['completed_at', 'created_at', 'error', 'file_uid', 'request_data', 'status', 'user_id'],
};
const addedWhenClaimed = ['job', 'started_at', 'task_type', 'updated_at'];
const sorted = (keys: Iterable<string>) => [...keys].sort();

let stack: TestStack;
let guideHost: RunningServer;
let guideApp: Awaited<ReturnType<typeof connectClientApp>>;

beforeAll(async () => {
  stack = await startTestStack();
  // The guide's function reads the environment that the Functions runtime gives it.
  process.env['FIRESTORE_EMULATOR_HOST'] = `${stack.host}:${stack.ports.firestore}`;
  process.env['FIREBASE_AUTH_EMULATOR_HOST'] = `${stack.host}:${stack.ports.auth}`;
  process.env['GCLOUD_PROJECT'] = stack.projectId;
  admin.initializeApp({ projectId: stack.projectId });
  const runpod = {
    baseUrl: `http://${stack.host}:${stack.ports.runpod}/v2`,
    endpointId: stack.endpointId,
    apiKey: stack.runpodApiKey,
  };
  guideHost = await startFunctionsHost({
    projectId: stack.projectId,
    host: stack.host,
    port: 0,
    functions: { runsync: guideFunctions(runpod, 'runsync'), run: guideFunctions(runpod, 'run') },
  });
  // The app's functions are the guide's, not ours.
  guideApp = await connectClientApp(
    { ...stack, ports: { ...stack.ports, functions: guideHost.port } },
    'guide',
  );
});
afterAll(async () => {
  await deleteApp(guideApp.app);
  await guideHost.close();
  await admin.app().delete();
  await stack.close();
});

async function callGuide(
  operation: 'runsync' | 'run',
  name: 'generateImage' | 'generateVideo',
  data: object,
) {
  const result = await httpsCallable(guideApp.functions, `${operation}-${name}`)(data);
  return result.data as {
    file_uid: string;
    runpod: { id: string; status: string; output?: Record<string, unknown> };
  };
}

test.each(['runsync', 'run'] as const)(
  'an image submitted by the guide through /%s is queued, processed and completed with the guide’s keys',
  async (operation) => {
    const { user } = await signInAnonymously(guideApp.auth);
    const errors: Error[] = [];
    const { heard, stop } = listenAsTheGuideDoes(guideApp.firestore, user, (error) => errors.push(error));
    const request = {
      prompt: 'a red apple on a blue background',
      num_inference_steps: 20,
      num_images: 2,
      seed: 5,
    };
    const { file_uid, runpod } = await callGuide(operation, 'generateImage', request);
    await vi.waitFor(() => expect(heard.ready).toHaveLength(1), { timeout: 60_000, interval: 50 });
    stop();

    const states = heard.states.get(file_uid) ?? [];
    expect(sorted(Object.keys(states[0] ?? {}))).toEqual(guideKeys.queued);
    expect(states[0]?.['request_data']).toEqual(request);
    const processing = states.filter((state) => state['status'] === 'processing');
    expect(processing.length).toBeGreaterThan(0);
    for (const state of processing) {
      const keys = new Set(Object.keys(state));
      keys.delete('preview');
      expect(sorted(keys)).toEqual(sorted([...guideKeys.queued, ...addedWhenClaimed, 'progress']));
    }
    const completed = states.at(-1) ?? {};
    expect(completed['status']).toBe('completed');
    expect(sorted(Object.keys(completed))).toEqual(sorted([...guideKeys.completed, ...addedWhenClaimed]));
    expect(completed['request_data']).toEqual(request);

    const folder = `http://${stack.host}:${stack.ports.storage}/${stack.bucket}/generating/${user.uid}/image`;
    const urls = [`${folder}/${file_uid}.png`, `${folder}/${file_uid}_1.png`];
    const decoded = (completed['generation_data'].image_urls as string[]).map(decodeURIComponent);
    expect(decoded).toEqual(urls);
    expect(heard.ready).toEqual([[file_uid, completed['generation_data'].image_urls]]);
    for (const url of completed['generation_data'].image_urls) {
      const response = await fetch(url);
      expect(response.headers.get('content-type')).toBe('image/png');
      expect(
        Buffer.from(await response.arrayBuffer())
          .subarray(1, 4)
          .toString(),
      ).toBe('PNG');
    }
    if (operation === 'runsync') {
      expect(runpod.status).toBe('COMPLETED');
      expect(runpod.output).toMatchObject({
        status: 'completed',
        file_uid,
        user_id: user.uid,
        media_type: 'image',
      });
    } else {
      expect(runpod).toEqual({ id: expect.any(String), status: 'IN_QUEUE' });
    }
    expect(errors).toEqual([]);
  },
);

test('a video submitted by the guide is completed with the guide’s keys, where the guide looks for it', async () => {
  const { user } = await signInAnonymously(guideApp.auth);
  const errors: Error[] = [];
  const { heard, stop } = listenAsTheGuideDoes(guideApp.firestore, user, (error) => errors.push(error));
  const request = { prompt: 'a red apple moving right', num_frames: 9, num_inference_steps: 4 };
  const { file_uid } = await callGuide('runsync', 'generateVideo', request);
  await vi.waitFor(() => expect(heard.ready).toHaveLength(1), { timeout: 60_000, interval: 50 });
  stop();
  const completed = heard.states.get(file_uid)?.at(-1) ?? {};
  expect(sorted(Object.keys(completed))).toEqual(sorted([...guideKeys.completed, ...addedWhenClaimed]));
  const { video_url: url, fps } = completed['generation_data'];
  expect(heard.ready).toEqual([[file_uid, url]]);
  expect(fps).toBe(8);
  const folder = `http://${stack.host}:${stack.ports.storage}/${stack.bucket}/generating/${user.uid}/video`;
  expect(decodeURIComponent(url)).toBe(`${folder}/${file_uid}.mp4`);
  const response = await fetch(url);
  expect(response.headers.get('content-type')).toBe('video/mp4');
  await response.body?.cancel();
  expect(errors).toEqual([]);
});

test('a video that is longer than the model can make ends as failed with the guide’s keys and a sentence', async () => {
  const { user } = await signInAnonymously(guideApp.auth);
  const errors: Error[] = [];
  const { heard, stop } = listenAsTheGuideDoes(guideApp.firestore, user, (error) => errors.push(error));
  const { file_uid } = await callGuide('run', 'generateVideo', { prompt: 'a cat', num_frames: 37 });
  await vi.waitFor(() => expect(heard.states.get(file_uid)?.at(-1)?.['status']).toBe('failed'), {
    timeout: 60_000,
    interval: 50,
  });
  stop();
  const failed = heard.states.get(file_uid)?.at(-1) ?? {};
  expect(failed['error_code']).toBe('invalid_argument');
  expect(failed['error']).toMatch(/^num_frames: 37 is not allowed; expected .* to 33/);
  const added = ['error_code', 'updated_at', 'job', 'started_at', 'task_type'];
  expect(sorted(guideKeys.failed).every((key) => key in failed)).toBe(true);
  expect(
    Object.keys(failed).filter((key) => !guideKeys.failed.includes(key) && !added.includes(key)),
  ).toEqual([]);
  expect(heard.ready).toEqual([]);
  expect(errors).toEqual([]);
});
