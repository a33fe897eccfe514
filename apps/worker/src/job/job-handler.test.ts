import { type ImageGenerationData, type JobOutput, REQUEST_FIELDS } from '@firepod/contract';
import { RunpodError } from '@firepod/runpod/worker';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { newGeneration } from '../../testing/generations.ts';
import { inputFor, startTestBench, type TestBench } from '../../testing/test-bench.ts';

describe("the worker's door", () => {
  let bench: TestBench;
  beforeAll(async () => {
    bench = await startTestBench();
  });
  afterAll(() => bench.close());

  describe('for a bad input', () => {
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
      const generation = await bench.submitted();
      const error = await bench.deliver(inputFor(generation, fields)).done.catch((thrown) => thrown);
      expect(error).toMatchObject({ name: 'JobError', code: 'invalid_argument', retryable: false });
      expect(error.message).toMatch(expected);
      expect((await bench.read(generation.path)).data()).toMatchObject({
        status: 'failed',
        error_code: 'invalid_argument',
        error: error.message,
      });
      expect((await bench.read(`firepod_jobs/${generation.fileUid}`)).exists).toBe(false);
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
      const { done } = bench.deliver(inputFor(newGeneration(), fields));
      await expect(done).rejects.toThrow(expected);
    });

    it.each([null, 'text', [], 7])('%j is no request', async (input) => {
      await expect(bench.deliver(input).done).rejects.toMatchObject({ code: 'invalid_argument' });
    });

    it('is refused by the limits of the model card too', async () => {
      const generation = await bench.submitted();
      const { done } = bench.deliver(inputFor(generation, { width: 1024 }));
      await expect(done).rejects.toThrow(
        'width: 1024 is not allowed; expected a multiple of 32 between 64 and 512',
      );
      expect((await bench.read(generation.path)).get('error_code')).toBe('invalid_argument');
    });

    it('is refused while the model cannot make its task', async () => {
      const sources = { image_url: 'https://example.com/a.png', mask_url: 'https://example.com/m.png' };
      const { done } = bench.deliver(inputFor(newGeneration(), sources));
      await expect(done).rejects.toMatchObject({
        code: 'model_not_available',
        message: 'task_type: inpaint cannot be made by Fixture; expected text2img or img2img or text2video.',
      });
    });
  });

  describe('for a job without cloud storage', () => {
    it('returns its pictures as data URLs and writes no document', async () => {
      const input = { prompt: 'a fox', seed: 7, num_images: 2, output_format: 'jpeg' };
      const output: JobOutput = await bench.deliver(input, { jobId: 'job-7' }).done;
      expect(output).toMatchObject({ status: 'completed', file_uid: 'job-7', user_id: null, attempt: null });
      const data = output.generation_data as ImageGenerationData;
      expect(data.image_urls).toHaveLength(2);
      expect(data.thumbnail_urls[1]).toMatch(/^data:image\/webp;base64,/);
      const picture = await (await fetch(data.image_urls[0]!)).arrayBuffer();
      expect(await sharp(picture).metadata()).toMatchObject({ format: 'jpeg', width: 64 });
      expect(await bench.firebase.objectNames()).toEqual([]);
      expect((await bench.read('firepod_jobs/job-7')).exists).toBe(false);
    });

    it('gives up when the engine dies each time', async () => {
      await expect(bench.deliver({ prompt: 'exits' }).done).rejects.toMatchObject({ code: 'worker_lost' });
    });

    it('stops when it is told to', async () => {
      const reason = new RunpodError('job_stopped', 'The platform withdrew the job.');
      const { done } = bench.deliver({ prompt: 'a fox' }, { signal: AbortSignal.abort(reason) });
      await expect(done).rejects.toBe(reason);
    });
  });

  it('refuses to store where the worker has no Firebase, and gives pictures back all the same', async () => {
    const generation = newGeneration();
    const refused = bench.deliver(inputFor(generation), { withoutFirebase: true }).done;
    await expect(refused).rejects.toMatchObject({
      code: 'invalid_argument',
      message: expect.stringMatching(/^use_cloud_storage: this worker has no Firebase/),
    });
    const direct = await bench.deliver({ prompt: 'a fox' }, { withoutFirebase: true }).done;
    expect(direct).toMatchObject({ status: 'completed' });
  });
});
