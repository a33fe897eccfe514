import { fileURLToPath } from 'node:url';
import type { ResolvedImageRequest } from '@firepod/contract';
import { afterAll, beforeAll, describe, expect, it, test } from 'vitest';
import { abortAtStep } from '../../testing/bare-engine.ts';
import { createCollectingLogger } from '../../testing/collecting-logger.ts';
import { programBeside } from '../child-program.ts';
import type { Engine, EngineProgress, GenerateOptions } from './engine.ts';
import { type EngineHost, startEngineHost } from './host.ts';
import { createOnnxEngine } from './onnx.ts';

const MODEL_FOLDER = fileURLToPath(new URL('../../../../models/tiny-sdxl', import.meta.url));
const CHILD_PROGRAM = programBeside(import.meta.url, './child');
const CPU = { engine: 'onnx', executionProvider: 'cpu', threads: 1 } as const;
const never = new AbortController().signal;

const request: ResolvedImageRequest = {
  task_type: 'text2img',
  prompt: 'a red apple on a blue background',
  negative_prompt: null,
  width: 64,
  height: 96,
  num_images: 2,
  num_inference_steps: 3,
  guidance_scale: 3,
  scheduler: 'DDIM',
  seed: 7,
  output_format: 'png',
};

const longRequest = { ...request, num_images: 1, num_inference_steps: 500 };

test('the onnx engine makes no further step once its signal has fired', async () => {
  const engine = await createOnnxEngine({ ...CPU, model: MODEL_FOLDER });
  const stop = new AbortController();
  const steps: number[] = [];
  const generation = engine.generate(longRequest, {
    signal: stop.signal,
    onProgress({ phase, step }) {
      if (phase !== 'denoising') return;
      steps.push(step);
      if (step === 2) stop.abort(new Error('stop'));
    },
  });
  await expect(generation).rejects.toThrow('stop');
  expect(steps).toEqual([1, 2]);
  await engine.close();
});

test('an execution provider that cannot start is an error, not a fallback', async () => {
  const settings = { ...CPU, executionProvider: 'cuda', model: MODEL_FOLDER } as const;
  await expect(createOnnxEngine(settings)).rejects.toMatchObject({
    code: 'model_not_available',
    cause: { message: expect.stringContaining('The execution provider "cuda" cannot start on this machine') },
  });
});

describe('the onnx engine with the shipped model', () => {
  let engine: Engine;
  beforeAll(async () => {
    engine = await createOnnxEngine({ ...CPU, model: MODEL_FOLDER });
  });
  afterAll(() => engine.close());

  const picture = {
    data: new Uint8Array(64 * 96 * 3).fill(200),
    width: 64,
    height: 96,
    channels: 3,
  } as const;
  const options: GenerateOptions = { signal: never, onProgress: () => {}, sources: { image: picture } };
  const img2img: ResolvedImageRequest = {
    ...request,
    task_type: 'img2img',
    strength: 0.4,
    image_url: 'https://example.com/a.png',
  };
  const inpaint: ResolvedImageRequest = {
    ...img2img,
    task_type: 'inpaint',
    mask_url: 'https://example.com/m.png',
  };

  it('names its version and the runtime that computes, for recipes', async () => {
    expect((await engine.describe()).engine.version).toMatch(/^\d+\.\d+\.\d+\+onnxruntime\.\d+\.\d+\.\d+$/);
  });

  it('paints from a source picture, and keeps what the mask protects', async () => {
    const { frames, seeds } = await engine.generate({ ...img2img, num_images: 1 }, options);
    expect(frames[0]).toMatchObject({ widthPx: 64, heightPx: 96 });
    expect(seeds).toEqual([7]);
    const mask = { ...picture, data: new Uint8Array(64 * 96), channels: 1 } as const;
    const sources = { image: picture, mask };
    const kept = await engine.generate({ ...inpaint, num_images: 1 }, { ...options, sources });
    const mean = kept.frames[0]!.rgb.reduce((sum, value) => sum + value, 0) / kept.frames[0]!.rgb.length;
    expect(Math.abs(mean - 200)).toBeLessThan(12);
  });

  it('says which source is missing or of another size', async () => {
    await expect(engine.generate(inpaint, options)).rejects.toThrow(/inpaint request without its mask/);
    await expect(engine.generate({ ...img2img, width: 96 }, options)).rejects.toMatchObject({
      code: 'invalid_argument',
      message: 'image_url: the picture has 64 x 96 pixels; expected 96 x 96.',
    });
  });
});

describe('the onnx engine with the shipped model, in its process', () => {
  let engine: EngineHost;
  beforeAll(async () => {
    engine = start(MODEL_FOLDER);
    await engine.describe();
  });
  afterAll(() => engine.close());

  function start(model: string): EngineHost {
    return startEngineHost({
      program: CHILD_PROGRAM,
      settings: { ...CPU, model },
      abortGraceMs: 5000,
      logger: createCollectingLogger(),
    });
  }

  it('describes the model by its card and a digest of its files', async () => {
    const { card, modelSha256 } = await engine.describe();
    expect(card).toMatchObject({ id: 'tiny-sdxl', tasks: ['text2img', 'img2img', 'inpaint'] });
    expect(card.schedulers).toEqual(expect.arrayContaining(['DDIM', 'K_EULER']));
    expect(modelSha256).toMatch(/^[0-9a-f]{64}$/);
  });

  it('paints a picture for each seed, the same each time, with progress and a preview on the way', async () => {
    const progress: EngineProgress[] = [];
    const onProgress = (step: EngineProgress) => progress.push(step);
    const long = { ...request, prompt: `${request.prompt}${' a'.repeat(30)}` };
    const result = await engine.generate(long, { signal: never, onProgress });
    expect(result.warnings).toEqual([
      expect.stringMatching(
        /^prompt: Tiny SDXL.* reads no more than 32 tokens; 7 at the end were left out\.$/,
      ),
    ]);
    expect(result.seeds).toEqual([7, 8]);
    expect(result.frames).toHaveLength(2);
    expect(result.frames[0]).toMatchObject({ widthPx: 64, heightPx: 96 });
    expect(result.frames[0]!.rgb).toHaveLength(64 * 96 * 3);
    expect(result.frames[0]!.rgb).not.toEqual(result.frames[1]!.rgb);
    expect(result.timings.total).toBeGreaterThan(0);

    const denoising = progress.filter(({ phase }) => phase === 'denoising');
    expect(denoising.map(({ step, steps }) => `${step}/${steps}`)).toEqual(
      [1, 2, 3, 4, 5, 6].map((step) => `${step}/6`),
    );
    expect(denoising[0]!.preview).toMatchObject({ widthPx: 8, heightPx: 12 });

    const alone = { ...long, num_images: 1, seed: 8 };
    const again = await engine.generate(alone, { signal: never, onProgress: () => {} });
    expect(again.frames[0]!.rgb).toEqual(result.frames[1]!.rgb);
  });

  it('stays loaded when it is stopped', async () => {
    const { pid } = engine;
    const stop = new AbortController();
    const generation = engine.generate(longRequest, {
      signal: stop.signal,
      onProgress: ({ phase, step }) => {
        if (phase === 'denoising' && step === 2) stop.abort(new Error('stop'));
      },
    });
    await expect(generation).rejects.toThrow('stop');
    await engine.generate({ ...request, num_inference_steps: 1 }, { signal: never, onProgress: () => {} });
    expect(engine.pid).toBe(pid);
  });

  it('hears of an abort between two steps', async () => {
    const settings = { ...CPU, model: MODEL_FOLDER };
    const { steps, ending } = await abortAtStep(CHILD_PROGRAM, settings, longRequest, 2);
    expect(ending).toBe('stopped');
    expect(steps.length).toBeLessThan(longRequest.num_inference_steps);
  });

  it('refuses what the pipeline cannot do in the words of the request', async () => {
    const options = { signal: never, onProgress: () => {} };
    await expect(engine.generate({ ...request, width: 72 }, options)).rejects.toMatchObject({
      code: 'invalid_argument',
      message: expect.stringMatching(/^width is 72; expected a multiple of 32/),
    });
  });

  it('says for the log, not for the user, what is wrong with a folder', async () => {
    const broken = start('/nowhere/at-all');
    await expect(broken.describe()).rejects.toMatchObject({
      code: 'model_not_available',
      message: expect.not.stringContaining('/nowhere'),
      cause: expect.objectContaining({ message: expect.stringContaining('/nowhere/at-all') }),
    });
    await broken.close();
  });
});
