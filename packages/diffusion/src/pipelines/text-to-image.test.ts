import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  golden,
  goldenTensor,
  largestDifference,
  MICRO_SDXL_FOLDER,
  type PipelineCase,
  peakSignalToNoiseRatio,
} from '../../fixtures/golden.ts';
import type { GenerationProgress } from './request.ts';
import { loadStableDiffusionXl, type StableDiffusionXl } from './stable-diffusion-xl.ts';
import type { TextToImageRequest } from './text-to-image.ts';

let scratch: string;
beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'firepod-text-to-image-'));
});
afterAll(() => rm(scratch, { recursive: true }));

/** The micro model with a case's scheduler settings in its folder. */
async function loadCase({ name, scheduler_config }: PipelineCase): Promise<StableDiffusionXl> {
  const folder = join(scratch, name);
  await cp(MICRO_SDXL_FOLDER, folder, { recursive: true });
  const path = join(folder, 'scheduler', 'scheduler_config.json');
  const config = JSON.parse(await readFile(path, 'utf8'));
  await writeFile(path, JSON.stringify({ ...config, ...scheduler_config }));
  return loadStableDiffusionXl({ folder, threads: 1 });
}

function requestOf(entry: PipelineCase): TextToImageRequest {
  return {
    prompt: entry.prompt,
    negativePrompt: entry.negative,
    width: entry.width,
    height: entry.height,
    numInferenceSteps: entry.steps,
    guidanceScale: entry.guidance,
    scheduler: entry.scheduler,
    seeds: entry.seeds,
    guidanceRescale: entry.guidance_rescale ?? 0,
    clipSkip: entry.clip_skip ?? 0,
  };
}

describe.each(golden.pipeline)('textToImage, case $name', (entry) => {
  it('has the latents of diffusers at every step to 1e-3, and its picture', async () => {
    const pipeline = await loadCase(entry);
    const samples: Float32Array[] = [];
    const { images } = await pipeline.textToImage({
      ...requestOf(entry),
      onProgress: ({ sample }) => {
        if (sample) samples.push(sample);
      },
    });
    const { shape, data } = goldenTensor(`${entry.name}.latents`); // [steps, images, 4, h, w]
    const [steps, count, ...rest] = shape as [number, number, number, number, number];
    const size = rest.reduce((product, dim) => product * dim);
    expect(samples).toHaveLength(steps * count);
    let worst = 0;
    for (const [index, sample] of samples.entries()) {
      const [image, step] = [Math.floor(index / steps), index % steps];
      const start = (step * count + image) * size;
      worst = Math.max(worst, largestDifference(sample, data.slice(start, start + size)));
    }
    expect(worst).toBeLessThan(1e-3);

    const pixels = goldenTensor(`${entry.name}.pixels`).data;
    const psnrs = images.map((image, index) => {
      expect([image.width, image.height, image.seed]).toEqual([
        entry.width,
        entry.height,
        entry.seeds[index],
      ]);
      const start = index * image.data.length;
      return peakSignalToNoiseRatio(image.data, pixels.slice(start, start + image.data.length));
    });
    if (process.env['PRINT_PARITY'])
      process.stdout.write(`${entry.name}: latents ${worst.toExponential(1)}, PSNR ${psnrs}\n`);
    // The promise is 45 dB; it is 86 and more here, and 60 also catches pixels that are cut instead of rounded.
    expect(Math.min(...psnrs)).toBeGreaterThanOrEqual(60);
    await pipeline.dispose();
  });
});

describe('textToImage', () => {
  const request: TextToImageRequest = {
    prompt: 'a red apple',
    negativePrompt: null,
    width: 64,
    height: 64,
    numInferenceSteps: 4,
    guidanceScale: 5,
    scheduler: 'DDIM',
    seeds: [7],
  };
  let pipeline: StableDiffusionXl;
  beforeAll(async () => {
    pipeline = await loadStableDiffusionXl({ folder: MICRO_SDXL_FOLDER, threads: 1 });
  });
  afterAll(() => pipeline.dispose());

  it('gives the same bytes for a seed, alone or among others, and other bytes for another seed', async () => {
    const { images: alone } = await pipeline.textToImage(request);
    const { images: together } = await pipeline.textToImage({ ...request, seeds: [8, 7] });
    expect(together[1]!.data).toEqual(alone[0]!.data);
    expect(together[0]!.data).not.toEqual(alone[0]!.data);
  });

  it('counts the tokens that were cut off, of a negative prompt only where it is read', async () => {
    const long = {
      ...request,
      prompt: 'red '.repeat(80),
      negativePrompt: 'up '.repeat(90),
      numInferenceSteps: 1,
    };
    const { maxPromptTokens } = pipeline.config;
    const truncated = async (change: Partial<TextToImageRequest>) =>
      (await pipeline.textToImage({ ...long, ...change })).truncatedTokens;
    expect(await truncated({})).toMatchObject({ prompt: 80 - (maxPromptTokens - 2) });
    expect((await truncated({})).negativePrompt).toBeGreaterThanOrEqual(90 - (maxPromptTokens - 2));
    expect(await truncated({ guidanceScale: 1, prompt: 'red' })).toEqual({ prompt: 0, negativePrompt: 0 });
    expect(await truncated({ negativePrompt: null, prompt: 'red' })).toEqual({
      prompt: 0,
      negativePrompt: 0,
    });
  });

  it('tells a null negative prompt from an empty one', async () => {
    const { images: nothing } = await pipeline.textToImage(request);
    const { images: empty } = await pipeline.textToImage({ ...request, negativePrompt: '' });
    expect(empty[0]!.data).not.toEqual(nothing[0]!.data);
  });

  it('reports each phase from start to end with rising steps, and waits for the listener', async () => {
    const seen: GenerationProgress[] = [];
    let isListening = false;
    const { timings } = await pipeline.textToImage({
      ...request,
      seeds: [1, 2],
      onProgress: async (progress) => {
        expect(isListening).toBe(false);
        isListening = true;
        await new Promise((resolve) => setTimeout(resolve, 1));
        isListening = false;
        seen.push(progress);
      },
    });
    const steps = (phase: string) =>
      seen.filter((entry) => entry.phase === phase).map(({ step, steps }) => `${step}/${steps}`);
    expect(steps('encode')).toEqual(['0/1', '1/1']);
    expect(steps('denoise')).toEqual(['1/8', '2/8', '3/8', '4/8', '5/8', '6/8', '7/8', '8/8']);
    expect(steps('decode')).toEqual(['0/2', '1/2', '2/2']);
    expect(seen.map(({ phase }) => phase).join()).toMatch(/^(encode,)+(denoise,)+(decode,?)+$/);
    expect(seen.find(({ phase }) => phase === 'denoise')?.latentsShape).toEqual([1, 4, 8, 8]);
    expect(timings.encode + timings.denoise + timings.decode).toBeCloseTo(timings.total, 3);
  });

  it('stops within one step of an abort that arrives from outside the loop', async () => {
    const controller = new AbortController();
    let steps = 0;
    const reason = new Error('the user left');
    const run = pipeline.textToImage({
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

  it('does not start with a signal that has fired', async () => {
    const run = pipeline.textToImage({
      ...request,
      signal: AbortSignal.abort(),
      onProgress: () => expect.unreachable(),
    });
    await expect(run).rejects.toMatchObject({ code: 'aborted' });
  });

  it.each([
    [{ width: 72 }, /width is 72; expected a multiple of 16/],
    [{ height: 0 }, /height is 0/],
    [{ guidanceScale: Number.NaN }, /guidance_scale is null; expected a number from 0/],
    [{ guidanceRescale: 1.5 }, /guidance_rescale is 1.5; expected a number from 0 to 1/],
    [{ seeds: [] }, /seeds is \[\]/],
    [{ seeds: [2 ** 32] }, /seeds is \[4294967296\]/],
    [{ numInferenceSteps: 0 }, /num_inference_steps is 0/],
    [{ clipSkip: 3 }, /clip_skip is 3; expected a whole number from 0 to 2/],
  ])('names field, value and expectation for %o', async (change, message) => {
    const run = pipeline.textToImage({ ...request, ...change });
    await expect(run).rejects.toMatchObject({
      code: 'invalid_request',
      message: expect.stringMatching(message),
    });
  });

  it('names the available schedulers', async () => {
    const run = pipeline.textToImage({ ...request, scheduler: 'HEUN' as 'DDIM' });
    await expect(run).rejects.toMatchObject({
      code: 'unsupported',
      message: expect.stringMatching(/DDIM, PNDM, KLMS, K_EULER/),
    });
  });

  it('stops a running call on dispose and refuses later ones', async () => {
    const doomed = await loadStableDiffusionXl({ folder: MICRO_SDXL_FOLDER, threads: 1 });
    const run = doomed.textToImage({
      ...request,
      numInferenceSteps: 500,
      onProgress: ({ step, phase }) => {
        if (phase === 'denoise' && step === 2) void doomed.dispose();
      },
    });
    await expect(run).rejects.toMatchObject({ code: 'disposed' });
    await expect(doomed.textToImage(request)).rejects.toMatchObject({ code: 'disposed' });
    await doomed.dispose();
  });
});
