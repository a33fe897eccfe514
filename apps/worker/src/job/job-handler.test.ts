import { randomUUID } from 'node:crypto';
import { type ImageGenerationData, type JobOutput, REQUEST_FIELDS } from '@firepod/contract';
import { type JobContext, RunpodError } from '@firepod/runpod/worker';
import { Timestamp } from 'firebase-admin/firestore';
import sharp from 'sharp';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { createCollectingLogger } from '../../testing/collecting-logger.ts';
import { startTestFirebase, type TestFirebase } from '../../testing/firebase.ts';
import { cancel, newGeneration, QUICK_POLICY, submit } from '../../testing/generations.ts';
import { readPngText } from '../encode/png-text.ts';
import { type EngineHost, startEngineHost } from '../engines/host.ts';
import { createMediaStore, type MediaStore } from '../storage/media-store.ts';
import { createJobHandler } from './job-handler.ts';

describe('a job', () => {
  let firebase: TestFirebase;
  let engine: EngineHost;
  beforeAll(async () => {
    firebase = await startTestFirebase();
    engine = startEngine();
    await engine.describe();
  });
  afterAll(async () => {
    await engine.close();
    await firebase.close();
  });
  afterEach(async () => {
    firebase.configureBucket({ accessControl: 'object-acls' });
    await firebase.bucket.deleteFiles({ force: true });
  });

  function startEngine(): EngineHost {
    return startEngineHost({
      program: new URL('../../testing/fixture-engine-child.ts', import.meta.url),
      settings: { engine: 'onnx', model: 'fixture', threads: 1 },
      abortGraceMs: 1000,
      logger: createCollectingLogger(),
    });
  }

  function openMediaStore(bucket = firebase.bucket): MediaStore {
    const { storageHost: storageEmulatorHost } = firebase;
    return createMediaStore({ bucket, mediaAccess: 'public', storageEmulatorHost, retryDelaysMs: [10] });
  }

  /** What one worker does with one delivery of a job. */
  function deliver(
    input: unknown,
    options: {
      podId?: string;
      jobId?: string;
      signal?: AbortSignal;
      engine?: EngineHost;
      mediaStore?: MediaStore;
    } = {},
  ) {
    const { podId = 'pod-1', jobId = 'job-1', signal = new AbortController().signal } = options;
    const progress = vi.fn<JobContext['progress']>();
    const handler = createJobHandler({
      firestore: firebase.firestore,
      mediaStore: options.mediaStore ?? openMediaStore(),
      engine: options.engine ?? engine,
      policy: { ...QUICK_POLICY, attemptsMax: 2 },
      podId,
    });
    const done = handler({ id: jobId, input }, { signal, progress, logger: createCollectingLogger() });
    done.catch(() => {}); // each test looks at it when it is ready to
    return { done, progress };
  }

  function inputFor(generation: { userId: string; fileUid: string }, fields: Record<string, unknown> = {}) {
    const { userId: user_id, fileUid: file_uid } = generation;
    return { prompt: 'a fox', seed: 7, user_id, file_uid, use_cloud_storage: true, contract: 1, ...fields };
  }

  function read(path: string) {
    return firebase.firestore.doc(path).get();
  }

  async function submitted(prompt = 'a fox') {
    const generation = newGeneration(randomUUID(), prompt);
    await submit(firebase.firestore, generation);
    return generation;
  }

  function filesOf(fileUid: string, count: number): string[] {
    const names = Array.from({ length: count }, (_, index) =>
      index === 0 ? fileUid : `${fileUid}_${index}`,
    );
    return [
      ...names.map((name) => `generating/ada/image/${name}.png`),
      ...names.map((name) => `generating/ada/thumbnail/${name}.webp`),
    ].sort();
  }

  async function untilStep(path: string, step: number): Promise<void> {
    await vi.waitFor(
      async () => expect((await read(path)).get('progress.step')).toBeGreaterThanOrEqual(step),
      {
        timeout: 8000,
        interval: 20,
      },
    );
  }

  describe('with a document', () => {
    it('ends with files, one final write, and the same data as output', async () => {
      const generation = await submitted();
      const { done, progress } = deliver(inputFor(generation, { num_images: 2, width: 96 }));
      const output = await done;
      const document = (await read(generation.path)).data()!;
      expect(output).toEqual({
        status: 'completed',
        file_uid: generation.fileUid,
        user_id: 'ada',
        media_type: 'image',
        attempt: 1,
        generation_data: document['generation_data'],
      });
      expect(document).toMatchObject({
        status: 'completed',
        generated: true,
        job: { id: 'job-1', attempt: 1 },
        generation_data: {
          seed: 7,
          seeds: [7, 8],
          width: 96,
          height: 64,
          gpu_seconds: 0.5,
          warnings: [],
          recipe: {
            request: { task_type: 'text2img', prompt: 'a fox', width: 96, num_inference_steps: 5, seed: 7 },
            model: { id: 'fixture', version: '1.0.0', sha256: 'f'.repeat(64) },
            engine: { name: 'fixture', version: '1.0.0' },
          },
        },
      });
      expect(document['completed_at']).toBeInstanceOf(Timestamp);
      expect(document['generation_data'].blurhash.length).toBeGreaterThan(6);
      expect(await firebase.objectNames()).toEqual(filesOf(generation.fileUid, 2));
      expect((await read(`firepod_jobs/${generation.fileUid}`)).exists).toBe(false);
      const percents = progress.mock.calls.map(([update]) => (update as { percent: number }).percent);
      expect(percents).toEqual([...percents].sort((a, b) => a - b));
      expect(percents.at(-1)).toBe(95);

      const [first, second] = document['generation_data'].image_urls as string[];
      expect(first).toContain(`generating%2Fada%2Fimage%2F${generation.fileUid}.png`);
      const png = Buffer.from(await (await fetch(second!)).arrayBuffer());
      expect(await sharp(png).metadata()).toMatchObject({ format: 'png', width: 96, height: 64 });
      expect(readPngText(png, 'parameters')).toMatch(
        /^a fox\nSteps: 5, .*Seed: 8, Size: 96x64, .*Model: fixture/,
      );
      const [thumbnail] = document['generation_data'].thumbnail_urls as string[];
      expect((await fetch(thumbnail!)).headers.get('content-type')).toBe('image/webp');
    });

    it('creates the document when RunPod was called directly, and paints the same for the same id', async () => {
      const generation = newGeneration();
      const output = await deliver(inputFor(generation, { seed: null })).done;
      const seed = output.generation_data?.seed;
      expect(seed).toBeGreaterThan(0);
      expect((await read(generation.path)).data()).toMatchObject({
        status: 'completed',
        request_data: { prompt: 'a fox', seed: null },
        prompt_words: ['a', 'fox'],
      });
      const again = await deliver(inputFor({ ...generation, userId: 'eve' }, { seed: null })).done;
      expect(again.generation_data?.seed).toBe(seed);
    });

    it('reports what it does not know as a warning', async () => {
      const generation = await submitted();
      const output = await deliver(inputFor(generation, { sharpness: 3 })).done;
      expect(output.generation_data?.warnings).toEqual([expect.stringContaining('sharpness')]);
    });

    it('shows a preview and the time left on the way', async () => {
      const generation = await submitted();
      const { done } = deliver(inputFor(generation, { num_inference_steps: 100 }));
      await untilStep(generation.path, 1);
      const document = (await read(generation.path)).data()!;
      expect(document['preview']).toMatch(/^data:image\/webp;base64,/);
      expect(document['progress']).toMatchObject({
        phase: 'denoising',
        steps: 100,
        eta_seconds: expect.any(Number),
      });
      await done;
    });

    it('returns the stored result when it is delivered again', async () => {
      const generation = await submitted();
      const first = await deliver(inputFor(generation)).done;
      const again = await deliver(inputFor(generation), { podId: 'pod-2', jobId: 'job-2' }).done;
      expect(again).toEqual(first);
    });

    it('is generated once when two workers get it at the same time', async () => {
      const generation = await submitted();
      const second = startEngine();
      const generate = [vi.spyOn(engine, 'generate'), vi.spyOn(second, 'generate')];
      try {
        const outputs = await Promise.all([
          deliver(inputFor(generation), { podId: 'pod-1' }).done,
          deliver(inputFor(generation), { podId: 'pod-2', jobId: 'job-2', engine: second }).done,
        ]);
        expect(outputs[0]).toEqual(outputs[1]);
        expect(generate.flatMap((spy) => spy.mock.calls)).toHaveLength(1);
      } finally {
        for (const spy of generate) spy.mockRestore();
        await second.close();
      }
    });

    it('is attempted again when its engine is killed in the middle, and completed once', async () => {
      const generation = await submitted();
      const { done } = deliver(inputFor(generation, { num_inference_steps: 60 }));
      await untilStep(generation.path, 1);
      process.kill(engine.pid!, 'SIGKILL');
      expect(await done).toMatchObject({ status: 'completed', attempt: 2 });
      expect((await read(generation.path)).data()).toMatchObject({
        status: 'completed',
        job: { id: 'job-1', attempt: 2 },
      });
      expect(await firebase.objectNames()).toEqual(filesOf(generation.fileUid, 1));
    });

    it('fails as lost when the engine dies each time', async () => {
      const generation = await submitted('exits');
      await expect(deliver(inputFor(generation, { prompt: 'exits' })).done).rejects.toMatchObject({
        name: 'JobError',
        code: 'worker_lost',
        retryable: true,
      });
      expect((await read(generation.path)).data()).toMatchObject({
        status: 'failed',
        error_code: 'worker_lost',
      });
    });

    it('fails at once when memory runs out', async () => {
      const generation = await submitted('fills memory');
      const { done } = deliver(inputFor(generation, { prompt: 'fills memory' }));
      await expect(done).rejects.toMatchObject({ code: 'out_of_memory', retryable: false });
      expect((await read(generation.path)).data()).toMatchObject({
        error_code: 'out_of_memory',
        error: expect.stringContaining('Try a smaller size'),
        job: { attempt: 1 },
      });
    });

    it('keeps the words of unexpected errors from the user', async () => {
      const generation = await submitted('breaks');
      const { done } = deliver(inputFor(generation, { prompt: 'breaks' }));
      await expect(done).rejects.toMatchObject({
        code: 'internal',
        message: expect.not.stringContaining('/models'),
      });
      expect((await read(generation.path)).get('error')).not.toContain('/models');
    });

    it('leaves no file when it is cancelled in the middle, and changes nothing afterwards', async () => {
      const generation = await submitted();
      const stop = new AbortController();
      const { done } = deliver(inputFor(generation, { num_inference_steps: 150 }), { signal: stop.signal });
      await untilStep(generation.path, 1);
      await cancel(firebase.firestore, generation);
      const { updateTime } = await read(generation.path);
      stop.abort(new RunpodError('job_stopped', 'The platform withdrew the job.'));
      const askedAt = performance.now();
      await expect(done).rejects.toMatchObject({ code: 'job_stopped' });
      expect(performance.now() - askedAt).toBeLessThan(1000); // one step takes 20 ms; the kill would come after 1 s
      await expect(deliver(inputFor(generation), { jobId: 'late' }).done).rejects.toMatchObject({
        code: 'cancelled',
      });
      expect((await read(generation.path)).updateTime).toEqual(updateTime);
      expect(await firebase.objectNames()).toEqual([]);
    });

    it('stops at its next write when the stop signal never comes', async () => {
      const generation = await submitted();
      const { done } = deliver(inputFor(generation, { num_inference_steps: 150 }));
      await untilStep(generation.path, 1);
      await cancel(firebase.firestore, generation);
      await expect(done).rejects.toMatchObject({ code: 'cancelled' });
      expect(await firebase.objectNames()).toEqual([]);
    });

    it('takes its files away when it was cancelled while they were stored', async () => {
      const generation = await submitted();
      const mediaStore = openMediaStore();
      const cancelling: MediaStore = {
        ...mediaStore,
        async store(files, options) {
          const stored = await mediaStore.store(files, options);
          await cancel(firebase.firestore, generation);
          expect(await firebase.objectNames()).toEqual(filesOf(generation.fileUid, 1));
          return stored;
        },
      };
      const { done } = deliver(inputFor(generation), { mediaStore: cancelling });
      await expect(done).rejects.toMatchObject({ code: 'cancelled' });
      expect(await firebase.objectNames()).toEqual([]);
    });

    it('takes away what a dead attempt left, when it does not come to an end itself', async () => {
      const generation = await submitted();
      const { fileUid } = generation;
      const left = firebase.bucket.file(`generating/ada/image/${fileUid}.png`);
      await left.save('half a result', { resumable: false });
      const { done } = deliver(inputFor(generation, { num_inference_steps: 150 }));
      await untilStep(generation.path, 1);
      await cancel(firebase.firestore, generation);
      await expect(done).rejects.toMatchObject({ code: 'cancelled' });
      expect(await firebase.objectNames()).toEqual([]);
    });

    it('writes over what a dead attempt left', async () => {
      const generation = await submitted();
      const left = firebase.bucket.file(`generating/ada/image/${generation.fileUid}.png`);
      await left.save('half a result', { resumable: false });
      const output = await deliver(inputFor(generation)).done;
      const [url] = (output.generation_data as ImageGenerationData).image_urls;
      expect((await fetch(url!)).headers.get('content-type')).toBe('image/png');
    });

    it('tells the user when RunPod stops a job that nobody cancelled here', async () => {
      const generation = await submitted();
      const stop = new AbortController();
      const { done } = deliver(inputFor(generation, { num_inference_steps: 150 }), { signal: stop.signal });
      await untilStep(generation.path, 1);
      stop.abort(new RunpodError('job_stopped', 'The platform withdrew the job.'));
      await expect(done).rejects.toMatchObject({ code: 'job_stopped' });
      expect((await read(generation.path)).data()).toMatchObject({
        status: 'failed',
        error_code: 'cancelled',
      });
    });

    it('is given back when the worker shuts down, and taken over without a wait', async () => {
      const generation = await submitted();
      const stop = new AbortController();
      const { done } = deliver(inputFor(generation, { num_inference_steps: 150 }), { signal: stop.signal });
      await untilStep(generation.path, 1);
      stop.abort(new RunpodError('worker_shutdown', 'The worker is shutting down.', { retryable: true }));
      await expect(done).rejects.toMatchObject({ code: 'worker_shutdown', retryable: true });
      expect((await read(`firepod_jobs/${generation.fileUid}`)).get('lease_renewed_at')).toBeNull();
      expect(await deliver(inputFor(generation), { podId: 'pod-2' }).done).toMatchObject({ attempt: 2 });
    });

    it('says when a result could not be saved', async () => {
      const generation = await submitted();
      const mediaStore = openMediaStore(firebase.bucket.storage.bucket('no-such-bucket'));
      await expect(deliver(inputFor(generation), { mediaStore }).done).rejects.toMatchObject({
        code: 'upload_failed',
      });
      expect((await read(generation.path)).data()).toMatchObject({ error_code: 'upload_failed' });
    });
  });

  describe('with a bad input', () => {
    const bad: [fields: Record<string, unknown>, expected: RegExp][] = [
      [{ prompt: '' }, /^prompt: ""/],
      [{ prompt: undefined }, /^prompt: is missing/],
      [{ prompt: 'a\u0000b' }, /^prompt: /],
      [{ negative_prompt: 'n'.repeat(2001) }, /^negative_prompt: /],
      [{ width: 100 }, /^width: 100 .*multiple of 8/],
      [{ height: 4096 }, /^height: 4096 /],
      [{ num_images: 5 }, /^num_images: 5 /],
      [{ num_inference_steps: 0 }, /^num_inference_steps: 0 /],
      [{ refiner_inference_steps: 151 }, /^refiner_inference_steps: 151 /],
      [{ high_noise_frac: 1.5 }, /^high_noise_frac: 1.5 /],
      [{ guidance_scale: -1 }, /^guidance_scale: -1 /],
      [{ scheduler: 'EULER' }, /^scheduler: "EULER" .*K_EULER/],
      [{ seed: -1 }, /^seed: -1 /],
      [{ output_format: 'gif' }, /^output_format: "gif" .*png, jpeg, webp/],
      [{ task_type: 'text2audio' }, /^task_type: "text2audio" /],
      [{ strength: 0.5 }, /^strength: 0.5 .*text2img/],
      [{ image_url: 'http://example.com/a.png' }, /^image_url: /],
      [{ image_url: 'https://example.com/a.png', strength: 0 }, /^strength: 0 /],
      [{ image_url: 'https://example.com/a.png', mask_url: 'file:///etc/passwd' }, /^mask_url: /],
      [{ num_frames: 18 }, /^num_frames: 18 /],
      [{ num_frames: 17, fps: 61 }, /^fps: 61 /],
      [{ num_frames: 17, video_width: 7 }, /^video_width: 7 /],
      [{ num_frames: 17, video_height: 7 }, /^video_height: 7 /],
      [{ num_frames: 17, video_guidance_scale: 21 }, /^video_guidance_scale: 21 /],
      [{ contract: 2 }, /^contract: 2 .*update the worker/],
      [{ use_cloud_storage: 'yes' }, /^use_cloud_storage: "yes" /],
    ];

    it.each(bad)('%j is refused, and the waiting user is told', async (fields, expected) => {
      const generation = await submitted();
      const error = await deliver(inputFor(generation, fields)).done.catch((thrown) => thrown);
      expect(error).toMatchObject({ name: 'JobError', code: 'invalid_argument', retryable: false });
      expect(error.message).toMatch(expected);
      expect((await read(generation.path)).data()).toMatchObject({
        status: 'failed',
        error_code: 'invalid_argument',
        error: error.message,
      });
      expect((await read(`firepod_jobs/${generation.fileUid}`)).exists).toBe(false);
    });

    it('is tried with every field of the request table', () => {
      const tried = new Set(bad.flatMap(([fields]) => Object.keys(fields)));
      expect(REQUEST_FIELDS.filter((field) => !tried.has(field))).toEqual([]);
    });

    it.each([
      [{ user_id: 'a/b' }, /^user_id: "a\/b" /],
      [{ file_uid: 'a_1' }, /^file_uid: "a_1" /],
      [{ user_id: undefined }, /^user_id: is missing/],
      [{ file_uid: undefined }, /^file_uid: is missing/],
    ])('%j is refused without a document to tell it in', async (fields, expected) => {
      const { done } = deliver(inputFor(newGeneration(), fields));
      await expect(done).rejects.toThrow(expected);
    });

    it.each([null, 'text', [], 7])('%j is no request', async (input) => {
      await expect(deliver(input).done).rejects.toMatchObject({ code: 'invalid_argument' });
    });

    it('is refused by the limits of the model card too', async () => {
      const generation = await submitted();
      const { done } = deliver(inputFor(generation, { width: 1024 }));
      await expect(done).rejects.toThrow(
        'width: 1024 is not allowed; expected a multiple of 32 between 64 and 512',
      );
      expect((await read(generation.path)).get('error_code')).toBe('invalid_argument');
    });

    it.each([
      ['text2video', { num_frames: 17 }],
      ['img2img', { image_url: 'https://example.com/a.png' }],
      ['inpaint', { image_url: 'https://example.com/a.png', mask_url: 'https://example.com/m.png' }],
    ])('%s is refused while the model cannot make it', async (task, fields) => {
      const { done } = deliver(inputFor(newGeneration(), fields));
      await expect(done).rejects.toMatchObject({
        code: 'model_not_available',
        message: `task_type: ${task} cannot be made by Fixture; expected text2img.`,
      });
    });
  });

  describe('without cloud storage', () => {
    it('returns its pictures as data URLs and writes no document', async () => {
      const input = { prompt: 'a fox', seed: 7, num_images: 2, output_format: 'jpeg' };
      const output: JobOutput = await deliver(input, { jobId: 'job-7' }).done;
      expect(output).toMatchObject({ status: 'completed', file_uid: 'job-7', user_id: null, attempt: null });
      const data = output.generation_data as ImageGenerationData;
      expect(data.image_urls).toHaveLength(2);
      expect(data.thumbnail_urls[1]).toMatch(/^data:image\/webp;base64,/);
      const picture = await (await fetch(data.image_urls[0]!)).arrayBuffer();
      expect(await sharp(picture).metadata()).toMatchObject({ format: 'jpeg', width: 64 });
      expect(await firebase.objectNames()).toEqual([]);
      expect((await read('firepod_jobs/job-7')).exists).toBe(false);
    });

    it('gives up when the engine dies each time', async () => {
      await expect(deliver({ prompt: 'exits' }).done).rejects.toMatchObject({ code: 'worker_lost' });
    });

    it('stops when it is told to', async () => {
      const reason = new RunpodError('job_stopped', 'The platform withdrew the job.');
      const { done } = deliver({ prompt: 'a fox' }, { signal: AbortSignal.abort(reason) });
      await expect(done).rejects.toBe(reason);
    });
  });
});
