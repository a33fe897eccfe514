import type { ImageGenerationData } from '@firepod/contract';
import { RunpodError } from '@firepod/runpod/worker';
import { Timestamp } from 'firebase-admin/firestore';
import sharp from 'sharp';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { cancel, newGeneration } from '../../testing/generations.ts';
import {
  filesOf,
  inputFor,
  startFixtureEngine,
  startTestBench,
  type TestBench,
} from '../../testing/test-bench.ts';
import { readPngText } from '../encode/png-text.ts';
import type { MediaStore } from '../storage/media-store.ts';

describe('a job with a document', () => {
  let bench: TestBench;
  beforeAll(async () => {
    bench = await startTestBench();
  });
  afterAll(() => bench.close());
  afterEach(() => bench.firebase.bucket.deleteFiles({ force: true }));

  it('ends with files, one final write, and the same data as output', async () => {
    const generation = await bench.submitted();
    const { done, progress } = bench.deliver(inputFor(generation, { num_images: 2, width: 96 }));
    const output = await done;
    const document = (await bench.read(generation.path)).data()!;
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
    expect(await bench.firebase.objectNames()).toEqual(filesOf(generation.fileUid, 2));
    expect((await bench.read(`firepod_jobs/${generation.fileUid}`)).exists).toBe(false);
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
    const output = await bench.deliver(inputFor(generation, { seed: null })).done;
    const seed = output.generation_data?.seed;
    expect(seed).toBeGreaterThan(0);
    expect((await bench.read(generation.path)).data()).toMatchObject({
      status: 'completed',
      request_data: { prompt: 'a fox', seed: null },
      prompt_words: ['a', 'fox'],
    });
    const again = await bench.deliver(inputFor({ ...generation, userId: 'eve' }, { seed: null })).done;
    expect(again.generation_data?.seed).toBe(seed);
  });

  it('reports what it does not know as a warning', async () => {
    const generation = await bench.submitted();
    const output = await bench.deliver(inputFor(generation, { sharpness: 3 })).done;
    expect(output.generation_data?.warnings).toEqual([expect.stringContaining('sharpness')]);
  });

  it('hands on what the engine could not use as a warning', async () => {
    const generation = await bench.submitted('is too long');
    const output = await bench.deliver(inputFor(generation, { prompt: 'is too long' })).done;
    expect(output.generation_data?.warnings).toEqual(['prompt: its end was left out.']);
  });

  it('shows a preview and the time left on the way', async () => {
    const generation = await bench.submitted();
    const { done } = bench.deliver(inputFor(generation, { num_inference_steps: 100 }));
    await bench.untilStep(generation.path, 1);
    const document = (await bench.read(generation.path)).data()!;
    expect(document['preview']).toMatch(/^data:image\/webp;base64,/);
    expect(document['progress']).toMatchObject({
      phase: 'denoising',
      steps: 100,
      eta_seconds: expect.any(Number),
    });
    await done;
  });

  it('returns the stored result when it is delivered again', async () => {
    const generation = await bench.submitted();
    const first = await bench.deliver(inputFor(generation)).done;
    const again = await bench.deliver(inputFor(generation), { podId: 'pod-2', jobId: 'job-2' }).done;
    expect(again).toEqual(first);
  });

  it('is generated once when two workers get it at the same time', async () => {
    const generation = await bench.submitted();
    const second = startFixtureEngine();
    const generate = [vi.spyOn(bench.engine, 'generate'), vi.spyOn(second, 'generate')];
    try {
      const outputs = await Promise.all([
        bench.deliver(inputFor(generation), { podId: 'pod-1' }).done,
        bench.deliver(inputFor(generation), { podId: 'pod-2', jobId: 'job-2', engine: second }).done,
      ]);
      expect(outputs[0]).toEqual(outputs[1]);
      expect(generate.flatMap((spy) => spy.mock.calls)).toHaveLength(1);
    } finally {
      for (const spy of generate) spy.mockRestore();
      await second.close();
    }
  });

  it('is attempted again when its engine is killed in the middle, and completed once', async () => {
    const generation = await bench.submitted();
    const { done } = bench.deliver(inputFor(generation, { num_inference_steps: 60 }));
    await bench.untilStep(generation.path, 1);
    process.kill(bench.engine.pid!, 'SIGKILL');
    expect(await done).toMatchObject({ status: 'completed', attempt: 2 });
    expect((await bench.read(generation.path)).data()).toMatchObject({
      status: 'completed',
      job: { id: 'job-1', attempt: 2 },
    });
    expect(await bench.firebase.objectNames()).toEqual(filesOf(generation.fileUid, 1));
  });

  it('fails as lost when the engine dies each time', async () => {
    const generation = await bench.submitted('exits');
    await expect(bench.deliver(inputFor(generation, { prompt: 'exits' })).done).rejects.toMatchObject({
      name: 'JobError',
      code: 'worker_lost',
      retryable: true,
    });
    expect((await bench.read(generation.path)).data()).toMatchObject({
      status: 'failed',
      error_code: 'worker_lost',
    });
  });

  it('fails at once when memory runs out', async () => {
    const generation = await bench.submitted('fills memory');
    const { done } = bench.deliver(inputFor(generation, { prompt: 'fills memory' }));
    await expect(done).rejects.toMatchObject({ code: 'out_of_memory', retryable: false });
    expect((await bench.read(generation.path)).data()).toMatchObject({
      error_code: 'out_of_memory',
      error: expect.stringContaining('Try a smaller size'),
      job: { attempt: 1 },
    });
  });

  it('keeps the words of unexpected errors from the user', async () => {
    const generation = await bench.submitted('breaks');
    const { done } = bench.deliver(inputFor(generation, { prompt: 'breaks' }));
    await expect(done).rejects.toMatchObject({
      code: 'internal',
      message: expect.not.stringContaining('/models'),
    });
    expect((await bench.read(generation.path)).get('error')).not.toContain('/models');
  });

  it('leaves no file when it is cancelled in the middle, and changes nothing afterwards', async () => {
    const generation = await bench.submitted();
    const stop = new AbortController();
    const { done } = bench.deliver(inputFor(generation, { num_inference_steps: 150 }), {
      signal: stop.signal,
    });
    await bench.untilStep(generation.path, 1);
    await cancel(bench.firebase.firestore, generation);
    const { pid } = bench.engine;
    const { updateTime } = await bench.read(generation.path);
    stop.abort(new RunpodError('job_stopped', 'The platform withdrew the job.'));
    await expect(done).rejects.toMatchObject({ code: 'job_stopped' });
    expect(bench.engine.pid).toBe(pid); // it stopped between two steps and needed no kill
    await expect(bench.deliver(inputFor(generation), { jobId: 'late' }).done).rejects.toMatchObject({
      code: 'cancelled',
    });
    expect((await bench.read(generation.path)).updateTime).toEqual(updateTime);
    expect(await bench.firebase.objectNames()).toEqual([]);
  });

  it('stops at its next write when the stop signal never comes', async () => {
    const generation = await bench.submitted();
    const { done } = bench.deliver(inputFor(generation, { num_inference_steps: 150 }));
    await bench.untilStep(generation.path, 1);
    await cancel(bench.firebase.firestore, generation);
    await expect(done).rejects.toMatchObject({ code: 'cancelled' });
    expect(await bench.firebase.objectNames()).toEqual([]);
  });

  it('takes its files away when it was cancelled while they were stored', async () => {
    const generation = await bench.submitted();
    const mediaStore = bench.openMediaStore();
    const cancelling: MediaStore = {
      ...mediaStore,
      async store(files, options) {
        const stored = await mediaStore.store(files, options);
        await cancel(bench.firebase.firestore, generation);
        expect(await bench.firebase.objectNames()).toEqual(filesOf(generation.fileUid, 1));
        return stored;
      },
    };
    const { done } = bench.deliver(inputFor(generation), { mediaStore: cancelling });
    await expect(done).rejects.toMatchObject({ code: 'cancelled' });
    expect(await bench.firebase.objectNames()).toEqual([]);
  });

  it('takes away what a dead attempt left, when it does not come to an end itself', async () => {
    const generation = await bench.submitted();
    const { fileUid } = generation;
    const left = bench.firebase.bucket.file(`generating/ada/image/${fileUid}.png`);
    await left.save('half a result', { resumable: false });
    const { done } = bench.deliver(inputFor(generation, { num_inference_steps: 150 }));
    await bench.untilStep(generation.path, 1);
    await cancel(bench.firebase.firestore, generation);
    await expect(done).rejects.toMatchObject({ code: 'cancelled' });
    expect(await bench.firebase.objectNames()).toEqual([]);
  });

  it('writes over what a dead attempt left', async () => {
    const generation = await bench.submitted();
    const left = bench.firebase.bucket.file(`generating/ada/image/${generation.fileUid}.png`);
    await left.save('half a result', { resumable: false });
    const output = await bench.deliver(inputFor(generation)).done;
    const [url] = (output.generation_data as ImageGenerationData).image_urls;
    expect((await fetch(url!)).headers.get('content-type')).toBe('image/png');
  });

  it('tells the user when RunPod stops a job that nobody cancelled here', async () => {
    const generation = await bench.submitted();
    const stop = new AbortController();
    const { done } = bench.deliver(inputFor(generation, { num_inference_steps: 150 }), {
      signal: stop.signal,
    });
    await bench.untilStep(generation.path, 1);
    stop.abort(new RunpodError('job_stopped', 'The platform withdrew the job.'));
    await expect(done).rejects.toMatchObject({ code: 'job_stopped' });
    expect((await bench.read(generation.path)).data()).toMatchObject({
      status: 'failed',
      error_code: 'cancelled',
    });
  });

  it('is given back when the worker shuts down, and taken over without a wait', async () => {
    const generation = await bench.submitted();
    const stop = new AbortController();
    const { done } = bench.deliver(inputFor(generation, { num_inference_steps: 150 }), {
      signal: stop.signal,
    });
    await bench.untilStep(generation.path, 1);
    stop.abort(new RunpodError('worker_shutdown', 'The worker is shutting down.', { retryable: true }));
    await expect(done).rejects.toMatchObject({ code: 'worker_shutdown', retryable: true });
    expect((await bench.read(`firepod_jobs/${generation.fileUid}`)).get('lease_renewed_at')).toBeNull();
    expect(await bench.deliver(inputFor(generation), { podId: 'pod-2' }).done).toMatchObject({ attempt: 2 });
  });

  it('says when a result could not be saved', async () => {
    const generation = await bench.submitted();
    const mediaStore = bench.openMediaStore(bench.firebase.bucket.storage.bucket('no-such-bucket'));
    await expect(bench.deliver(inputFor(generation), { mediaStore }).done).rejects.toMatchObject({
      code: 'upload_failed',
    });
    expect((await bench.read(generation.path)).data()).toMatchObject({ error_code: 'upload_failed' });
  });
});
