import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  golden,
  goldenTensor,
  hasGoldenTensor,
  largestDifference,
  MICRO_SDXL_FOLDER,
} from '../fixtures/golden.ts';
import {
  loadStableDiffusionXlModel,
  type StableDiffusionXlModel,
} from './pipelines/stable-diffusion-xl-model.ts';
import { encodeNegativePrompt, encodePrompt } from './text-encoding.ts';

let model: StableDiffusionXlModel;
beforeAll(async () => {
  model = await loadStableDiffusionXlModel({ folder: MICRO_SDXL_FOLDER, threads: 1 });
});
afterAll(() => model.release());

/** States of this random model reach 20, with float32 sums in another order. */
const TOLERANCE = 3e-5;

describe.each(golden.pipeline.filter(({ name }) => hasGoldenTensor(`${name}.prompt`)))(
  'case $name',
  (entry) => {
    it('encodes both prompts as diffusers does, skipped layers and zeroed negatives included', async () => {
      const positive = await encodePrompt(model.towers, entry.prompt, entry.clip_skip ?? 0);
      const negative = await encodeNegativePrompt(model.towers, entry.negative, positive, true);
      for (const [name, actual] of [
        ['prompt', positive.hiddenStates],
        ['pooled', positive.pooled],
        ['negative', negative.hiddenStates],
        ['negative_pooled', negative.pooled],
      ] as const) {
        const expected = goldenTensor(`${entry.name}.${name}`);
        expect(actual.dims).toEqual(expected.shape);
        expect(largestDifference(actual.data, expected.data)).toBeLessThan(TOLERANCE);
      }
    });
  },
);

describe('encodeNegativePrompt', () => {
  it('encodes null as "" for models without force_zeros_for_empty_prompt', async () => {
    const positive = await encodePrompt(model.towers, 'a red apple', 0);
    const fromNull = await encodeNegativePrompt(model.towers, null, positive, false);
    const fromEmpty = await encodeNegativePrompt(model.towers, '', positive, true);
    expect(fromNull).toEqual(fromEmpty);
    expect(fromEmpty.pooled.data.some((value) => value !== 0)).toBe(true);
  });
});
