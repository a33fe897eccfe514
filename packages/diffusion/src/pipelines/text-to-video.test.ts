import { cp, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { largestDifference, peakSignalToNoiseRatio } from '../../fixtures/golden.ts';
import { MICRO_WAN_FOLDER, type VideoCase, wanGolden, wanGoldenTensor } from '../../fixtures/wan-golden.ts';
import type { TextToVideoRequest, VideoProgress } from './text-to-video.ts';
import { loadWan, type Wan } from './wan.ts';

let scratch: string;
beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'firepod-text-to-video-'));
});
afterAll(() => rm(scratch, { recursive: true }));

/** The micro model with a case's scheduler in its folder. */
async function loadCase({ name, scheduler_config }: VideoCase): Promise<Wan> {
  const folder = join(scratch, name);
  await cp(MICRO_WAN_FOLDER, folder, { recursive: true });
  await writeFile(join(folder, 'scheduler', 'scheduler_config.json'), JSON.stringify(scheduler_config));
  return loadWan({ folder, threads: 1 });
}

describe.each(wanGolden.pipeline)('textToVideo, case $name', (entry) => {
  it('has the latents of diffusers at every step to 1e-3, and its frames', async () => {
    const pipeline = await loadCase(entry);
    const samples: Float32Array[] = [];
    const { frames, seed } = await pipeline.textToVideo({
      prompt: entry.prompt,
      negativePrompt: entry.negative,
      width: entry.width,
      height: entry.height,
      numFrames: entry.frames,
      numInferenceSteps: entry.steps,
      guidanceScale: entry.guidance,
      seed: entry.seed,
      onProgress: ({ sample }) => {
        if (sample) samples.push(sample);
      },
    });
    const { shape, data } = wanGoldenTensor(`${entry.name}.latents`); // [steps, 16, frames, h, w]
    const [steps, ...rest] = shape as [number, ...number[]];
    const size = rest.reduce((product, dim) => product * dim);
    expect(samples).toHaveLength(steps);
    const differences = samples.map((sample, step) =>
      largestDifference(sample, data.slice(step * size, (step + 1) * size)),
    );
    expect(Math.max(...differences)).toBeLessThan(1e-3);

    expect(seed).toBe(entry.seed);
    expect(frames.map(({ width, height }) => [width, height])).toEqual(
      Array.from({ length: entry.frames }, () => [entry.width, entry.height]),
    );
    const pixels = wanGoldenTensor(`${entry.name}.frames`).data;
    const ratio = peakSignalToNoiseRatio(Buffer.concat(frames.map((frame) => frame.data)), pixels);
    if (process.env['PRINT_PARITY'])
      process.stdout.write(`${entry.name}: ${Math.max(...differences).toExponential(1)}, PSNR ${ratio}\n`);
    // The promise is 45 dB; 60 also catches pixels that are cut instead of rounded.
    expect(ratio).toBeGreaterThanOrEqual(60);
    await pipeline.dispose();
  });
});

describe('textToVideo', () => {
  const request: TextToVideoRequest = {
    prompt: 'a red apple moving right',
    negativePrompt: null,
    width: 32,
    height: 32,
    numFrames: 5,
    numInferenceSteps: 3,
    guidanceScale: 4,
    seed: 7,
  };
  let pipeline: Wan;
  beforeAll(async () => {
    pipeline = await loadWan({ folder: MICRO_WAN_FOLDER, threads: 1 });
  });
  afterAll(() => pipeline.dispose());

  const bytesOf = async (change: Partial<TextToVideoRequest>) => {
    const { frames } = await pipeline.textToVideo({ ...request, ...change });
    return Buffer.concat(frames.map(({ data }) => data));
  };

  it('gives the same bytes for a request, and others for another seed, prompt or negative prompt', async () => {
    const video = await bytesOf({});
    expect(await bytesOf({})).toEqual(video);
    expect(await bytesOf({ negativePrompt: '' })).toEqual(video);
    expect(await bytesOf({ seed: 8 })).not.toEqual(video);
    expect(await bytesOf({ prompt: 'the cat' })).not.toEqual(video);
    expect(await bytesOf({ negativePrompt: 'the cat' })).not.toEqual(video);
  });

  it('reports each phase from start to end with rising steps, and waits for the listener', async () => {
    const seen: VideoProgress[] = [];
    let isListening = false;
    const { timings, truncatedTokens } = await pipeline.textToVideo({
      ...request,
      prompt: 'red '.repeat(30),
      negativePrompt: 'up '.repeat(30),
      onProgress: async (progress) => {
        expect(isListening).toBe(false);
        isListening = true;
        await new Promise((resolve) => setTimeout(resolve, 1));
        isListening = false;
        seen.push(progress);
      },
    });
    expect(seen.map(({ phase, step, steps }) => `${phase} ${step}/${steps}`)).toEqual([
      'encode 0/1',
      'encode 1/1',
      'denoise 1/3',
      'denoise 2/3',
      'denoise 3/3',
      'decode 0/1',
      'decode 1/1',
    ]);
    expect(seen[2]).toMatchObject({ latentsShape: [1, 16, 2, 4, 4], durationMs: expect.any(Number) });
    expect(seen[2]!.latents).toHaveLength(16 * 2 * 4 * 4);
    expect(timings.encode + timings.denoise + timings.decode).toBeCloseTo(timings.total, 3);
    expect(truncatedTokens).toEqual({ prompt: 7, negativePrompt: 7 });
  });

  it('stops within one step of an abort that arrives from outside the loop', async () => {
    const controller = new AbortController();
    const reason = new Error('the user left');
    let steps = 0;
    const run = pipeline.textToVideo({
      ...request,
      numInferenceSteps: 100,
      signal: controller.signal,
      onProgress: ({ phase }) => {
        if (phase !== 'denoise') return;
        steps++;
        // From a macrotask, as a message of another process would come.
        if (steps === 3) setImmediate(() => controller.abort(reason));
      },
    });
    await expect(run).rejects.toMatchObject({ code: 'aborted', cause: reason });
    expect(steps).toBeLessThanOrEqual(4);
  });

  it.each([
    [{ width: 40 }, /video_width is 40; expected a multiple of 16/],
    [{ height: 0 }, /video_height is 0/],
    [{ numFrames: 18 }, /num_frames is 18; expected a multiple of 4 plus 1, at least 5/],
    [{ numFrames: 1 }, /num_frames is 1;/],
    [{ guidanceScale: -1 }, /video_guidance_scale is -1/],
    [{ seed: 2 ** 32 }, /seed is 4294967296/],
    [{ numInferenceSteps: 0 }, /num_inference_steps is 0; expected a whole number from 1 to 1000/],
  ])('names field, value and expectation for %o', async (change, message) => {
    await expect(pipeline.textToVideo({ ...request, ...change })).rejects.toMatchObject({
      code: 'invalid_request',
      message: expect.stringMatching(message),
    });
  });

  it('stops a running call on dispose and refuses later ones', async () => {
    const doomed = await loadWan({ folder: MICRO_WAN_FOLDER, threads: 1 });
    const run = doomed.textToVideo({
      ...request,
      numInferenceSteps: 500,
      onProgress: ({ step, phase }) => {
        if (phase === 'denoise' && step === 2) void doomed.dispose();
      },
    });
    await expect(run).rejects.toMatchObject({ code: 'disposed' });
    await expect(doomed.textToVideo(request)).rejects.toMatchObject({ code: 'disposed' });
    await doomed.dispose();
  });
});
