import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type ModelCard, modelCardSchema } from './model-card.ts';
import { describeProblems } from './problem.ts';
import { parseSubmission } from './request.ts';
import { resolveRequest } from './resolve-request.ts';

const card = modelCardSchema.parse({
  id: 'tiny-sdxl',
  name: 'Tiny SDXL',
  version: '1',
  tasks: ['text2img', 'img2img'],
  native_size: { width: 128, height: 128 },
  size_multiple: 16,
  defaults: { num_inference_steps: 20, guidance_scale: 5 },
  limits: { min_size: 64, max_size: 256, max_pixels: 32_768, max_images: 2, max_steps: 100 },
  schedulers: ['DDIM', 'K_EULER'],
  licence: 'Apache-2.0',
});
const wan: ModelCard = modelCardSchema.parse({
  ...card,
  id: 'tiny-wan',
  name: 'Tiny Wan',
  tasks: ['text2video'],
  native_size: { width: 64, height: 64 },
  frame_step: 8,
  limits: { max_frames: 33 },
  defaults: { num_frames: 17 },
});

function resolve(fields: Record<string, unknown>, by: ModelCard | null = card) {
  const checked = parseSubmission({ prompt: 'a cat', ...fields }, { userId: 'ada' });
  if (!checked.ok) throw new Error(describeProblems(checked.problems));
  return resolveRequest(checked, by, { seed: 7 });
}

function refusal(fields: Record<string, unknown>, by: ModelCard | null = card): string {
  const resolved = resolve(fields, by);
  return resolved.ok ? 'accepted' : describeProblems(resolved.problems);
}

describe('resolving a request', () => {
  it("fills in the card's values and then the contract's", () => {
    expect(resolve({ height: 64 })).toEqual({
      ok: true,
      request: {
        task_type: 'text2img',
        prompt: 'a cat',
        negative_prompt: null,
        width: 128,
        height: 64,
        num_images: 1,
        num_inference_steps: 20,
        guidance_scale: 5,
        scheduler: 'DDIM',
        seed: 7,
        output_format: 'png',
      },
    });
  });

  it("has SDXL's and Wan's values where there is no card", () => {
    expect(resolve({}, null)).toMatchObject({
      request: { width: 1024, height: 1024, num_inference_steps: 25, guidance_scale: 7.5, scheduler: 'DDIM' },
    });
    expect(resolve({ task_type: 'text2video' }, null)).toMatchObject({
      request: {
        video_width: 832,
        video_height: 480,
        num_frames: 81,
        fps: 15,
        num_inference_steps: 25,
        video_guidance_scale: 5,
      },
    });
  });

  it('keeps an empty negative prompt, and gives a video without one that of Wan', () => {
    expect(resolve({ negative_prompt: '' })).toMatchObject({ request: { negative_prompt: '' } });
    const video = resolve({ task_type: 'text2video', negative_prompt: null }, wan);
    expect(video.ok && video.request.negative_prompt).toMatch(/^色调艳丽/);
    expect(resolve({ task_type: 'text2video', negative_prompt: '' }, wan)).toMatchObject({
      request: { negative_prompt: '' },
    });
  });

  it('keeps the seed that was sent, 0 too', () => {
    expect(resolve({ seed: 0 })).toMatchObject({ request: { seed: 0 } });
    expect(resolve({ seed: null })).toMatchObject({ request: { seed: 7 } });
  });

  it('knows the strength of each task and the refiner of a model that has one', () => {
    const image_url = 'https://example.com/cat.png';
    const both = { image_url, mask_url: image_url };
    expect(resolve({ image_url })).toMatchObject({ request: { strength: 0.6 } });
    expect(resolve(both, null)).toMatchObject({ request: { strength: 1 } });
    expect(resolve({}, { ...card, has_refiner: true })).toMatchObject({
      request: { refiner_inference_steps: 50, high_noise_frac: null },
    });
  });

  it.each([
    [{ width: 72 }, 'width: 72 is not allowed; expected a multiple of 16 between 64 and 256.'],
    [{ height: 272 }, 'height: 272 is not allowed; expected a multiple of 16 between 64 and 256.'],
    [
      { width: 256, height: 256 },
      'width: 256 is not allowed; expected width × height of at most 32768 pixels (height is 256).',
    ],
    [{ num_images: 3 }, 'num_images: 3 is not allowed; expected a whole number from 1 to 2.'],
    [
      { num_inference_steps: 101 },
      'num_inference_steps: 101 is not allowed; expected a whole number from 1 to 100.',
    ],
    [{ scheduler: 'PNDM' }, 'scheduler: "PNDM" is not allowed; expected one of DDIM, K_EULER.'],
    [
      { refiner_inference_steps: 50 },
      'refiner_inference_steps: 50 is not allowed; expected nothing, because Tiny SDXL has no refiner.',
    ],
    [
      { image_url: 'https://a.b/c', mask_url: 'https://a.b/c' },
      'task_type: "inpaint" is not allowed; expected one of text2img, img2img from Tiny SDXL.',
    ],
  ])('refuses %j by the card', (fields, message) => {
    expect(refusal(fields)).toBe(message);
  });

  it("refuses frames by the card's step and limit", () => {
    expect(refusal({ num_frames: 17 }, wan)).toBe('accepted');
    expect(refusal({ num_frames: 21 }, wan)).toBe(
      'num_frames: 21 is not allowed; expected a multiple of 8 plus 1, from 5 to 33.',
    );
    expect(refusal({ num_frames: 41 }, wan)).toMatch(/^num_frames: 41/);
  });

  it('reports every problem at once', () => {
    expect(refusal({ width: 72, num_images: 4, scheduler: 'KLMS' })).toMatch(
      /width: .*num_images: .*scheduler: /,
    );
  });

  it('is done after one time: what it gives is a valid request that resolves to itself', () => {
    const fields = fc.record(
      {
        width: fc.constantFrom(64, 128, 256),
        height: fc.constantFrom(64, 128),
        seed: fc.option(fc.nat()),
        negative_prompt: fc.option(fc.constantFrom('', 'blur')),
        scheduler: fc.constantFrom('DDIM', 'K_EULER'),
        image_url: fc.constant('https://example.com/cat.png'),
        num_images: fc.constantFrom(1, 2),
      },
      { requiredKeys: [] },
    );
    fc.assert(
      fc.property(fields, fc.boolean(), (request, has_refiner) => {
        const by = { ...card, has_refiner };
        const first = resolve(request, by);
        if (!first.ok) throw new Error(describeProblems(first.problems));
        expect(first.request).toMatchObject(
          JSON.parse(JSON.stringify({ ...request, seed: request.seed ?? 7 })),
        );
        expect(resolve({ ...first.request }, by)).toEqual(first);
      }),
    );
  });
});
