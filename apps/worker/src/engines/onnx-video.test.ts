import { fileURLToPath } from 'node:url';
import type { ModelCard, ResolvedImageRequest, ResolvedVideoRequest } from '@firepod/contract';
import { loadWan } from '@firepod/diffusion';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Engine, EngineProgress } from './engine.ts';
import { createOnnxEngine } from './onnx.ts';
import { generateVideo } from './onnx-video.ts';

/** Wan's architecture with random weights: what counts here is that a request reaches the pipeline and frames come back. */
const MODEL_FOLDER = fileURLToPath(
  new URL('../../../../packages/diffusion/fixtures/micro-wan', import.meta.url),
);
const never = new AbortController().signal;

const request: ResolvedVideoRequest = {
  task_type: 'text2video',
  prompt: 'a red apple moving right',
  negative_prompt: 'the cat',
  num_inference_steps: 3,
  num_frames: 9,
  fps: 8,
  video_width: 32,
  video_height: 48,
  video_guidance_scale: 3,
  seed: 7,
};

describe('the onnx engine with a Wan model', () => {
  let engine: Engine;
  beforeAll(async () => {
    const settings = { engine: 'onnx', executionProvider: 'cpu', threads: 1, model: MODEL_FOLDER } as const;
    engine = await createOnnxEngine(settings);
  });
  afterAll(() => engine.close());

  it('describes a folder without a card by its configuration', async () => {
    const { card } = await engine.describe();
    expect(card).toMatchObject({
      id: 'micro-wan',
      tasks: ['text2video'],
      size_multiple: 16,
      frame_step: 4,
      schedulers: [],
      native_size: { width: 832, height: 480 },
    });
  });

  it('makes all frames of the asked size, the same each time', async () => {
    const progress: string[] = [];
    const onProgress = ({ phase, step, steps }: EngineProgress) => progress.push(`${phase} ${step}/${steps}`);
    const { frames, seeds, timings } = await engine.generate(request, { signal: never, onProgress });
    expect(frames).toHaveLength(9);
    for (const frame of frames) {
      expect(frame).toMatchObject({ widthPx: 32, heightPx: 48 });
      expect(frame.rgb).toHaveLength(32 * 48 * 3);
    }
    expect(seeds).toEqual([7]);
    expect(timings.total).toBeGreaterThan(0);
    expect(progress.filter((line) => line.startsWith('denoising'))).toEqual(
      [1, 2, 3].map((step) => `denoising ${step}/3`),
    );
    const again = await engine.generate(request, { signal: never, onProgress });
    expect(again.frames).toEqual(frames);
  });

  it('warns of the prompts whose end the model does not read', async () => {
    const options = { signal: never, onProgress: () => {} };
    const brief = { ...request, num_inference_steps: 1, num_frames: 5 };
    expect((await engine.generate(brief, options)).warnings).toEqual([]);
    const long = { ...brief, prompt: 'red '.repeat(30), negative_prompt: 'up '.repeat(25) };
    expect((await engine.generate(long, options)).warnings).toEqual([
      'prompt: micro-wan reads no more than 24 tokens; 7 at the end were left out.',
      'negative_prompt: micro-wan reads no more than 24 tokens; 2 at the end were left out.',
    ]);
  });

  it('ends with the signal’s reason, within one step', async () => {
    const stop = new AbortController();
    const steps: number[] = [];
    const generation = engine.generate(
      { ...request, num_inference_steps: 100 },
      {
        signal: stop.signal,
        onProgress: ({ phase, step }) => {
          if (phase !== 'denoising') return;
          steps.push(step);
          if (step === 2) stop.abort(new Error('stop'));
        },
      },
    );
    await expect(generation).rejects.toThrow('stop');
    expect(steps).toEqual([1, 2]);
  });

  it('refuses what the pipeline cannot do in the words of the request', async () => {
    const options = { signal: never, onProgress: () => {} };
    await expect(engine.generate({ ...request, num_frames: 18 }, options)).rejects.toMatchObject({
      code: 'invalid_argument',
      message: 'num_frames is 18; expected a multiple of 4 plus 1, at least 5.',
    });
    const picture: ResolvedImageRequest = {
      ...request,
      task_type: 'text2img',
      width: 64,
      height: 64,
      num_images: 1,
      guidance_scale: 3,
      scheduler: 'DDIM',
      output_format: 'png',
    };
    await expect(engine.generate(picture, options)).rejects.toMatchObject({
      code: 'model_not_available',
      message: 'task_type: text2img cannot be made by the onnx engine; expected text2video.',
    });
  });
});

describe('generateVideo', () => {
  it('shows the middle of the forming video where the card has a map from latents to colours', async () => {
    const model = await loadWan({ folder: MODEL_FOLDER, threads: 1 });
    const rgb_factors = Array.from({ length: 16 }, () => [0.1, 0.1, 0.1]);
    const card = { preview: { rgb_factors, bias: [0.5, 0.5, 0.5] } } as unknown as ModelCard;
    const previews: EngineProgress['preview'][] = [];
    await generateVideo(model, card, request, {
      signal: never,
      onProgress: ({ preview }) => preview && previews.push(preview),
    });
    expect(previews[0]).toMatchObject({ widthPx: 4, heightPx: 6 });
    await model.dispose();
  });
});
