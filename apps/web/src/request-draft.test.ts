import { FirepodError } from '@firepod/client';
import { modelCardSchema, parseSubmission } from '@firepod/contract';
import { expect, test } from 'vitest';
import {
  countSettings,
  type Draft,
  emptyDraft,
  isShownInFields,
  problemOf,
  rangesOf,
  requestOf,
} from './request-draft.ts';

const draft = (fields: Partial<Draft>): Draft => ({ ...emptyDraft, ...fields });

test('a request holds the trimmed prompt and nothing that was left empty', () => {
  expect(requestOf(draft({ prompt: ' a cat\n', negative_prompt: '  ' }))).toEqual({ prompt: 'a cat' });
});

test('a filled form is a request that the function takes as it is', () => {
  const filled: Draft = {
    prompt: 'a cat',
    negative_prompt: 'dogs',
    width: 128,
    height: '256',
    num_images: 2,
    num_inference_steps: 150,
    guidance_scale: '3.5',
    seed: 0,
    strength: '0.3',
    scheduler: 'DDIM',
  };
  const request = requestOf(filled);
  expect(requestOf(filled, 'gs://b/generating/ada/source/a.png')).toEqual({
    ...request,
    image_url: 'gs://b/generating/ada/source/a.png',
    strength: 0.3,
  });
  expect(request).toEqual({
    prompt: 'a cat',
    negative_prompt: 'dogs',
    width: 128,
    height: 256,
    num_images: 2,
    num_inference_steps: 150,
    guidance_scale: 3.5,
    seed: 0,
    scheduler: 'DDIM',
  });
  expect(parseSubmission(request, { userId: 'ada' })).toMatchObject({ ok: true, request });
});

test('what is no number is sent as it stands, so that it is refused by its name', () => {
  const request = requestOf(draft({ prompt: 'a cat', seed: '-' }));
  expect(request).toMatchObject({ seed: '-' });
  expect(parseSubmission(request, { userId: 'ada' })).toMatchObject({ problems: [{ field: 'seed' }] });
});

test('settings are counted where they differ from the model', () => {
  expect(countSettings(draft({ prompt: 'a cat', negative_prompt: ' ' }))).toBe(0);
  expect(countSettings(draft({ seed: 0, scheduler: 'DDIM', width: 64 }))).toBe(3);
});

test('a refusal stands below its fields when the form has all of them, without their names', () => {
  const problem = (field: string) => ({ field, message: `${field}: 500 is not allowed; expected less.` });
  const refusal = (...fields: string[]) =>
    new FirepodError('invalid_argument', '', { problems: fields.map(problem) });
  expect(problemOf(refusal('width', 'num_inference_steps'), 'num_inference_steps')).toBe(
    '500 is not allowed; expected less.',
  );
  expect(problemOf(refusal('width'), 'height')).toBeUndefined();
  expect(isShownInFields(refusal('width', 'prompt'))).toBe(true);
  expect(isShownInFields(refusal('width', 'image_url'))).toBe(false);
  expect(isShownInFields(new FirepodError('unavailable'))).toBe(false);
});

test("ranges are the contract's, narrowed by the model's card, which also says what an empty field means", () => {
  expect(rangesOf(undefined)).toMatchObject({
    width: { min: 64, max: 2048, step: 8, fallback: undefined },
    num_inference_steps: { min: 1, max: 150 },
  });
  const card = modelCardSchema.parse({
    id: 'tiny',
    name: 'Tiny',
    version: '1',
    tasks: ['text2img'],
    native_size: { width: 128, height: 96 },
    size_multiple: 32,
    defaults: { width: 160, guidance_scale: 3 },
    limits: { max_size: 256, max_images: 9, max_steps: 50 },
    licence: 'MIT',
  });
  expect(rangesOf(card)).toMatchObject({
    width: { min: 64, max: 256, step: 32, fallback: 160 },
    height: { fallback: 96 },
    num_images: { max: 4, fallback: 1 },
    num_inference_steps: { max: 50 },
    guidance_scale: { max: 30, fallback: 3 },
  });
});
