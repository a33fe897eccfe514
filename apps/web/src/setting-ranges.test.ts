import { type ModelCard, modelCardSchema } from '@firepod/contract';
import { expect, test } from 'vitest';
import { durationSeconds, rangesOf } from './setting-ranges.ts';

const cardWith = (fields: Partial<ModelCard>) =>
  modelCardSchema.parse({
    id: 'tiny',
    name: 'Tiny',
    version: '1',
    tasks: ['text2video'],
    native_size: { width: 128, height: 96 },
    size_multiple: 16,
    defaults: {},
    licence: 'MIT',
    ...fields,
  });

test("ranges are the contract's, narrowed by the model's card, which also says what an empty field means", () => {
  expect(rangesOf(undefined)).toMatchObject({
    width: { min: 64, max: 2048, step: 8, fallback: undefined },
    num_inference_steps: { min: 1, max: 150 },
  });
  const card = cardWith({
    size_multiple: 32,
    defaults: { width: 160, guidance_scale: 3 },
    limits: { max_size: 256, max_images: 9, max_steps: 50 },
  });
  expect(rangesOf(card)).toMatchObject({
    width: { min: 64, max: 256, step: 32, fallback: 160 },
    height: { fallback: 96 },
    num_images: { max: 4, fallback: 1 },
    num_inference_steps: { max: 50 },
    guidance_scale: { max: 30, fallback: 3 },
  });
});

test('sizes are multiples of the model and of the contract, from the first to the last that there is', () => {
  const { width } = rangesOf(cardWith({ size_multiple: 20, limits: { min_size: 90, max_size: 250 } }));
  expect(width).toMatchObject({ min: 120, max: 240, step: 40 });
});

test('frames are a multiple of the step plus one, within what the model and the contract allow', () => {
  const card = cardWith({ frame_step: 4, limits: { max_frames: 35 }, defaults: { num_frames: 17, fps: 8 } });
  expect(rangesOf(card)).toMatchObject({
    num_frames: { min: 5, max: 33, step: 4, fallback: 17 },
    fps: { min: 1, max: 60, fallback: 8 },
    video_width: { fallback: 128 },
    video_guidance_scale: { max: 20 },
  });
  expect(rangesOf(cardWith({ frame_step: 8 })).num_frames).toMatchObject({ min: 9, max: 161, step: 8 });
});

test('a video lasts as long as its frames take, whether they are typed or left to the model', () => {
  const card = cardWith({ defaults: { num_frames: 17, fps: 8 } });
  expect(durationSeconds(card, '', '')).toBe(2.125);
  expect(durationSeconds(card, '32', 16)).toBe(2);
  expect(durationSeconds(card, '-', 16)).toBeUndefined();
  expect(durationSeconds(card, 5, 0)).toBeUndefined();
});
