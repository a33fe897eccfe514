import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { json } from 'node:stream/consumers';
import { type GenerationRequest, jobRecordPath, LIMITS_PATH, modelCardPath } from '@firepod/contract';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { type LocalStack, startLocalStack, type TestUser } from '../test/local-stack.ts';
import { webhookUrl } from './webhook-token.ts';

let stack: LocalStack;

beforeAll(async () => {
  stack = await startLocalStack();
});
afterAll(() => stack.close());
afterEach(() => vi.unstubAllEnvs());

const REQUEST = { prompt: 'A red apple on a blue background', width: 512, seed: 7 };

interface Reference {
  file_uid: string;
  user_id: string;
  media_type: string;
  path: string;
}

async function submit(user: TestUser, data: unknown): Promise<Reference> {
  return (await user.call('submitGeneration', data)) as unknown as Reference;
}

async function documentsOf(user: TestUser) {
  const collections = ['images', 'videos'].map((name) => `generations/${user.userId}/${name}`);
  const snapshots = await Promise.all(collections.map((path) => stack.firestore.collection(path).get()));
  return snapshots.flatMap(({ docs }) => docs);
}

async function jobRecordsOf(user: TestUser) {
  const query = stack.firestore.collection('firepod_jobs').where('user_id', '==', user.userId);
  return (await query.get()).docs;
}

async function queueLength(): Promise<number> {
  return (await stack.context().runpod.health()).jobs.inQueue;
}

describe('a request that is accepted', () => {
  test('becomes a queued document, a job record and a job at RunPod', async () => {
    const user = await stack.signIn();
    const reference = await submit(user, REQUEST);
    const { file_uid } = reference;
    expect(file_uid).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    const path = `generations/${user.userId}/images/${file_uid}`;
    expect(reference).toEqual({ file_uid, user_id: user.userId, media_type: 'image', path });

    const job = await stack.worker.take(file_uid);
    const input = { ...REQUEST, user_id: user.userId, file_uid, use_cloud_storage: true, contract: 1 };
    expect(job.input).toEqual(input);

    const document = (await stack.firestore.doc(path).get()).data();
    const timestamp = expect.objectContaining({ toMillis: expect.any(Function) });
    expect(document).toEqual({
      status: 'queued',
      user_id: user.userId,
      file_uid,
      request_data: REQUEST,
      task_type: 'text2img',
      prompt_words: ['a', 'red', 'apple', 'on', 'blue', 'background'],
      job: { id: job.id, attempt: 1 },
      created_at: timestamp,
      updated_at: timestamp,
    });
    const record = (await stack.firestore.doc(jobRecordPath(file_uid)).get()).data();
    expect(record).toMatchObject({
      path,
      user_id: user.userId,
      input,
      attempt: 1,
      runpod_id: job.id,
      worker_id: null,
    });
  });

  test('of a video lies in the collection of videos', async () => {
    const reference = await submit(await stack.signIn(), { prompt: 'waves', num_frames: 17 });
    expect(reference).toMatchObject({ media_type: 'video', path: expect.stringContaining('/videos/') });
  });

  test.each([[{}], [{ seed: null }]])(
    'without a seed (%j) gets one that only its job knows',
    async (seed) => {
      const user = await stack.signIn();
      const request = { prompt: 'an apple', ...seed };
      const { file_uid, path } = await submit(user, request);
      expect((await stack.firestore.doc(path).get()).get('request_data')).toEqual(request);
      const drawn = (await stack.worker.take(file_uid)).input['seed'];
      expect(drawn).toSatisfy(
        (value) => Number.isInteger(value) && (value as number) >= 0 && (value as number) < 2 ** 32,
      );
    },
  );

  test('is dispatched by runsync, too, and the call does not wait for the result', async () => {
    vi.stubEnv('FIREPOD_DISPATCH', 'runsync');
    const { file_uid, path } = await submit(await stack.signIn(), REQUEST);
    const document = (await stack.firestore.doc(path).get()).data();
    const job = await stack.worker.take(file_uid);
    expect(document).toMatchObject({ status: 'queued', job: { id: job.id, attempt: 1 } });
    expect(job.id).toMatch(/^sync-/);
  });
});

describe('what RunPod is asked', () => {
  /** Takes every job, and keeps what it was asked. */
  async function startRecorder() {
    const asked: { url: string | undefined; authorization: string | undefined; body: unknown }[] = [];
    const server = createServer(async (request, response) => {
      const { url, headers } = request;
      asked.push({ url, authorization: headers.authorization, body: await json(request) });
      response.end('{"id":"job-1","status":"IN_QUEUE"}');
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    vi.stubEnv('RUNPOD_ENDPOINT_BASE_URL', `http://127.0.0.1:${(server.address() as AddressInfo).port}/v2`);
    return { asked, close: () => new Promise((resolve) => server.close(resolve)) };
  }

  test.each([
    ['run', 'run', REQUEST, { executionTimeout: 600_000, ttl: 3_600_000 }],
    ['runsync', 'runsync?wait=1000', REQUEST, { executionTimeout: 600_000, ttl: 3_600_000 }],
    [
      'run',
      'run',
      { prompt: 'waves', fps: 8, num_frames: 17 },
      { executionTimeout: 3_600_000, ttl: 10_800_000 },
    ],
  ])(
    'by %s is POST /%s of %j with the times of its task and a webhook',
    async (dispatch, operation, request, policy) => {
      vi.stubEnv('FIREPOD_DISPATCH', dispatch);
      const { asked, close } = await startRecorder();
      const { file_uid } = await submit(await stack.signIn(), request);
      const { settings } = stack.context();
      expect(asked).toEqual([
        {
          url: `/v2/${settings.runpod.endpointId}/${operation}`,
          authorization: `Bearer ${settings.runpod.apiKey}`,
          body: {
            input: expect.objectContaining({ ...request, file_uid, use_cloud_storage: true, contract: 1 }),
            policy,
            webhook: webhookUrl(settings.webhook.url, settings.webhook.secret, {
              fileUid: file_uid,
              attempt: 1,
            }),
          },
        },
      ]);
      await close();
    },
  );
});

describe('the same request_id', () => {
  test('gives the same generation, once, also when two calls come at the same moment', async () => {
    const user = await stack.signIn();
    const request = { ...REQUEST, request_id: 'the-same-request' };
    const [first, second] = await Promise.all([submit(user, request), submit(user, request)]);
    expect(second).toEqual(first);
    expect(await submit(user, request)).toEqual(first);
    expect(await documentsOf(user)).toHaveLength(1);
    expect(await jobRecordsOf(user)).toHaveLength(1);
    expect((await documentsOf(user))[0]?.get('request_data')).toEqual(REQUEST);
  });

  test("is another one when it is another user's", async () => {
    const request = { ...REQUEST, request_id: 'the-same-request' };
    const [first, second] = await Promise.all([stack.signIn(), stack.signIn()]);
    expect((await submit(first!, request)).file_uid).not.toBe((await submit(second!, request)).file_uid);
  });
});

describe('the quota', () => {
  afterEach(() => stack.firestore.doc(LIMITS_PATH).delete());

  test('holds for what is open, also when calls come at the same moment', async () => {
    await stack.firestore.doc(LIMITS_PATH).set({ open_per_user: 2 });
    const user = await stack.signIn();
    const calls = await Promise.allSettled(
      [1, 2, 3, 4].map((seed) =>
        submit(user, seed === 1 ? { prompt: 'waves', num_frames: 17 } : { ...REQUEST, seed }),
      ),
    );
    const refusals = calls.filter((call) => call.status === 'rejected').map(({ reason }) => reason);
    expect(refusals).toHaveLength(2);
    for (const refusal of refusals) {
      expect(refusal.code).toBe('functions/resource-exhausted');
      expect(refusal.message).toContain('2 of your generations are queued or processing');
      expect(refusal.details).toEqual({
        code: 'quota_exceeded',
        limit: 'open_per_user',
        maximum: 2,
        used: 2,
      });
    }
    expect(await documentsOf(user)).toHaveLength(2);
  });

  test('of open generations is free again when one has ended', async () => {
    await stack.firestore.doc(LIMITS_PATH).set({ open_per_user: 1 });
    const user = await stack.signIn();
    const { path } = await submit(user, REQUEST);
    await expect(submit(user, REQUEST)).rejects.toMatchObject({ code: 'functions/resource-exhausted' });
    await stack.firestore.doc(path).update({ status: 'completed' });
    await submit(user, REQUEST);
  });

  test('of a day counts what has ended, too, but nothing of another day', async () => {
    await stack.firestore.doc(LIMITS_PATH).set({ daily_per_user: 1 });
    const user = await stack.signIn();
    const yesterday = new Date(Date.now() - 24 * 60 * 60_000);
    await stack.firestore
      .doc(`generations/${user.userId}/images/old`)
      .set({ status: 'completed', created_at: yesterday });
    const { path } = await submit(user, REQUEST);
    await stack.firestore.doc(path).update({ status: 'failed' });
    await expect(submit(user, REQUEST)).rejects.toMatchObject({
      code: 'functions/resource-exhausted',
      details: { code: 'quota_exceeded', limit: 'daily_per_user', maximum: 1, used: 1 },
    });
  });
});

describe('a request that breaks a rule', () => {
  const long = 'x'.repeat(2001);
  const image = 'https://example.com/a.png';
  /** Field, request, and a part of what was expected. */
  const broken: [field: string, request: unknown, expected: string][] = [
    ['request', 'a red apple', 'an object'],
    ['task_type', { task_type: 'text2music' }, 'text2img'],
    ['prompt', { prompt: undefined }, '1 to 2000'],
    ['prompt', { prompt: '' }, '1 to 2000'],
    ['prompt', { prompt: long }, '1 to 2000'],
    ['prompt', { prompt: 'a\u0000b' }, 'control'],
    ['negative_prompt', { negative_prompt: long }, '2000'],
    ['width', { width: 1000.5 }, 'multiple of 8'],
    ['width', { width: 56 }, 'between 64 and 2048'],
    ['height', { height: 2056 }, 'between 64 and 2048'],
    ['height', { height: '512' }, 'multiple of 8'],
    ['num_images', { num_images: 5 }, '1 to 4'],
    ['num_inference_steps', { num_inference_steps: 0 }, '1 to 150'],
    ['refiner_inference_steps', { refiner_inference_steps: 151 }, '1 to 150'],
    ['high_noise_frac', { high_noise_frac: 1.1 }, '0 to 1'],
    ['guidance_scale', { guidance_scale: 31 }, '0 to 30'],
    ['strength', { image_url: image, strength: 0 }, 'above 0'],
    ['strength', { strength: 0.5 }, 'img2img and inpaint'],
    ['scheduler', { scheduler: 'Euler' }, 'K_EULER'],
    ['seed', { seed: -1 }, '0 to 4294967295'],
    ['seed', { seed: 2 ** 32 }, '0 to 4294967295'],
    ['image_url', { image_url: 'http://example.com/a.png' }, 'https'],
    ['image_url', { image_url: 'gs://bucket/generating/somebody/source/a.png' }, 'the same user'],
    ['mask_url', { mask_url: image }, 'together with image_url'],
    ['output_format', { output_format: 'gif' }, 'webp'],
    ['num_frames', { num_frames: 80 }, 'a multiple of 4 plus 1'],
    ['fps', { num_frames: 17, fps: 61 }, '1 to 60'],
    ['video_width', { num_frames: 17, video_width: 833 }, 'multiple of 8'],
    ['video_height', { num_frames: 17, video_height: 0 }, 'between 64 and 2048'],
    ['video_guidance_scale', { num_frames: 17, video_guidance_scale: 21 }, '0 to 20'],
    ['guidance_scale', { num_frames: 17, guidance_scale: 5 }, 'text2img'],
    ['request_id', { request_id: 'short' }, '8 to 64'],
    ['promt', { promt: 'an apple' }, 'did you mean prompt?'],
    ['use_cloud_storage', { use_cloud_storage: true }, 'the function sets it'],
  ];

  test.each(broken)('is refused by name: %s (case %#)', async (field, fields, expected) => {
    const user = await stack.signIn();
    const queued = await queueLength();
    const data =
      typeof fields === 'object' ? { ...REQUEST, ...fields, ...undefinedAsAbsent(fields) } : fields;
    const refusal = await submit(user, data).catch((error) => error);
    expect(refusal.code).toBe('functions/invalid-argument');
    expect(refusal.message).toContain(`${field}: `);
    expect(refusal.message).toContain(expected);
    expect(refusal.details).toContainEqual({ field, message: expect.stringContaining(expected) });
    expect(await documentsOf(user)).toEqual([]);
    expect(await jobRecordsOf(user)).toEqual([]);
    expect(await queueLength()).toBe(queued);
  });

  /** The REQUEST's own fields of other tasks have to go where a case is about a video. */
  function undefinedAsAbsent(fields: unknown): Partial<GenerationRequest> {
    return Object.hasOwn(fields as object, 'num_frames') ? { width: undefined } : {};
  }

  test('is told all of its problems at once', async () => {
    const refusal = await submit(await stack.signIn(), { width: 7, seed: -1 }).catch((error) => error);
    expect(refusal.details.map(({ field }: { field: string }) => field).sort()).toEqual([
      'prompt',
      'seed',
      'width',
    ]);
  });

  test("of the published model card is refused, though the contract's limits allow it", async () => {
    vi.stubEnv('FIREPOD_MODEL', 'small-model');
    const card = {
      id: 'small-model',
      name: 'Small Model',
      version: '1',
      tasks: ['text2img'],
      native_size: { width: 256, height: 256 },
      size_multiple: 32,
      defaults: {},
      limits: { max_size: 256 },
      licence: 'MIT',
    };
    await stack.firestore.doc(modelCardPath('small-model')).set(card);
    const user = await stack.signIn();
    await submit(user, { prompt: 'an apple', width: 256 });
    await expect(submit(user, { prompt: 'an apple', width: 512 })).rejects.toMatchObject({
      code: 'functions/invalid-argument',
      message: expect.stringContaining(
        'width: 512 is not allowed; expected a multiple of 32 between 64 and 256',
      ),
    });
    await expect(submit(user, { prompt: 'waves', num_frames: 17 })).rejects.toMatchObject({
      code: 'functions/invalid-argument',
      message: expect.stringContaining('task_type: "text2video" is not allowed; expected one of text2img'),
    });

    // A second model makes what the first does not, by its own card.
    vi.stubEnv('FIREPOD_MODEL', 'small-model,moving-model');
    const moving = {
      ...card,
      id: 'moving-model',
      tasks: ['text2video'],
      limits: { max_frames: 17, max_size: 64 },
    };
    await stack.firestore.doc(modelCardPath('moving-model')).set(moving);
    await submit(user, { prompt: 'waves', num_frames: 17, video_width: 64, video_height: 64 });
    await expect(submit(user, { prompt: 'waves', num_frames: 21 })).rejects.toMatchObject({
      message: expect.stringContaining('num_frames: 21 is not allowed'),
    });
    await expect(submit(user, { prompt: 'an apple', width: 512 })).rejects.toMatchObject({
      message: expect.stringContaining('width: 512 is not allowed'),
    });
  });
});

describe('who may submit', () => {
  test('nobody who is not signed in', async () => {
    const nobody = await stack.signIn({ isSignedIn: false });
    await expect(submit(nobody, REQUEST)).rejects.toMatchObject({
      code: 'functions/unauthenticated',
      details: { code: 'unauthenticated' },
    });
  });

  test('nobody while a setting is missing, which is named', async () => {
    vi.stubEnv('RUNPOD_ENDPOINT_ID', '');
    await expect(submit(await stack.signIn(), REQUEST)).rejects.toMatchObject({
      code: 'functions/failed-precondition',
      message: expect.stringContaining('RUNPOD_ENDPOINT_ID'),
      details: { code: 'settings_invalid' },
    });
  });
});

describe('when RunPod does not take the job', () => {
  /** A server that answers every request with one status. */
  async function startRefusing(httpStatus: number, beforeAnswer: () => Promise<void> = async () => {}) {
    const server = createServer((_request, response) => {
      void beforeAnswer().then(() =>
        response.writeHead(httpStatus, { 'retry-after': '0' }).end('{"error":"no"}'),
      );
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    vi.stubEnv('RUNPOD_ENDPOINT_BASE_URL', `http://127.0.0.1:${(server.address() as AddressInfo).port}/v2`);
    return { close: () => new Promise((resolve) => server.close(resolve)) };
  }

  async function expectDispatchFailed(user: TestUser, sentence: string) {
    const refusal = await submit(user, REQUEST).catch((error) => error);
    expect(refusal.code).toBe('functions/unavailable');
    expect(refusal.message).toContain(sentence);
    const [document] = await documentsOf(user);
    expect(refusal.details).toEqual({ code: 'dispatch_failed', file_uid: document?.id });
    expect(document?.data()).toMatchObject({ status: 'failed', error_code: 'dispatch_failed' });
    expect(document?.get('error')).toContain(sentence);
    expect(document?.get('completed_at')).toBeDefined();
    expect(await jobRecordsOf(user)).toEqual([]);
  }

  test('because the key is wrong, the document fails and the caller is told', async () => {
    vi.stubEnv('RUNPOD_API_KEY', 'a wrong key');
    await expectDispatchFailed(await stack.signIn(), 'RUNPOD_API_KEY');
  });

  test('because the endpoint is wrong, the document fails and the caller is told', async () => {
    vi.stubEnv('RUNPOD_ENDPOINT_ID', 'another');
    await expectDispatchFailed(await stack.signIn(), 'RUNPOD_ENDPOINT_ID');
  });

  test.each([
    [429, 'too many requests'],
    [500, 'cannot be reached'],
    [400, 'refused the request'],
  ])('but answers %i, the document fails and the caller is told', async (httpStatus, sentence) => {
    const refusing = await startRefusing(httpStatus);
    await expectDispatchFailed(await stack.signIn(), sentence);
    await refusing.close();
  });

  test('because nobody listens there, the document fails and the caller is told', async () => {
    vi.stubEnv('RUNPOD_ENDPOINT_BASE_URL', 'http://127.0.0.1:9/v2');
    await expectDispatchFailed(await stack.signIn(), 'cannot be reached');
  });

  test('but a worker has claimed it all the same, only the reply was lost', async () => {
    const user = await stack.signIn();
    const refusing = await startRefusing(500, async () => {
      const [document] = await documentsOf(user);
      const { file_uid: fileUid, request_data: requestData, prompt_words: promptWords } = document!.data();
      const path = document!.ref.path;
      const { decision } = await stack.context().store.transition(
        { path, fileUid },
        {
          type: 'claim',
          workerId: 'worker-1',
          runpodId: 'job-1',
          generation: {
            path,
            userId: user.userId,
            fileUid,
            task: 'text2img',
            requestData,
            promptWords,
            parent: null,
            input: {},
          },
          progress: { phase: 'starting', step: 0, steps: 25, percent: 0, eta_seconds: null },
        },
      );
      expect(decision.kind).toBe('write');
    });
    const { path } = await submit(user, REQUEST);
    expect((await stack.firestore.doc(path).get()).get('status')).toBe('processing');
    await refusing.close();
  });
});
