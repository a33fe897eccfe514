import { describe, expect, it } from 'vitest';
import { modelCardSchema, publishedModelCard } from './model-card.ts';

const card = {
  id: 'tiny-sdxl',
  name: 'Tiny SDXL',
  version: '1',
  tasks: ['text2img'],
  native_size: { width: 128, height: 128 },
  size_multiple: 8,
  frame_step: null,
  defaults: {
    width: 128,
    height: 128,
    num_inference_steps: 25,
    guidance_scale: 5,
    scheduler: 'DDIM',
    eta: 0,
  },
  limits: { min_size: 64, max_size: 256, max_images: 4, max_steps: 150 },
  schedulers: ['DDIM', 'K_EULER'],
  vocabulary: { subjects: ['apple'], backgrounds: ['blue'] },
  preview: {
    rgb_factors: [
      [1, 0, 0],
      [0, 1, 0],
      [0, 0, 1],
      [0, 0, 0],
    ],
    bias: [0, 0, 0],
  },
  licence: 'Apache-2.0',
  training: { steps: 1000 },
  cannot: ['write text'],
  colour: 'kept',
};

describe('a model card', () => {
  it('is read with its defaults filled in and unknown keys kept', () => {
    const parsed = modelCardSchema.parse(card);
    expect(parsed).toMatchObject({ ...card, has_refiner: false, vocabulary: { words: [] } });
    expect(modelCardSchema.parse(JSON.parse(JSON.stringify(parsed)))).toEqual(parsed);
  });

  it.each([
    ['id', '../x'],
    ['tasks', []],
    ['tasks', ['txt2img']],
    ['size_multiple', 0],
    ['native_size', { width: 128 }],
    ['preview', { rgb_factors: [[1, 2]], bias: [0, 0, 0] }],
    ['licence', undefined],
  ])('with %s %j is refused', (name, value) => {
    const parsed = modelCardSchema.safeParse({ ...card, [name]: value });
    expect(parsed.error?.issues[0]?.path[0]).toBe(name);
  });

  it('is published without arrays in arrays, which Firestore refuses', () => {
    const published = publishedModelCard(modelCardSchema.parse(card));
    expect(JSON.stringify(published)).not.toContain('[[');
    expect(modelCardSchema.safeParse(published).success).toBe(true);
  });
});
