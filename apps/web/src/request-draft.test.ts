import { FirepodError } from '@firepod/client';
import { parseSubmission } from '@firepod/contract';
import { expect, test } from 'vitest';
import {
  countSettings,
  type Draft,
  emptyDraft,
  isShownInFields,
  problemOf,
  requestOf,
} from './request-draft.ts';

const draft = (fields: Partial<Draft>): Draft => ({ ...emptyDraft, ...fields });

test('a request holds the trimmed prompt and nothing that was left empty', () => {
  expect(requestOf(draft({ prompt: ' a cat\n', negative_prompt: '  ' }), 'image')).toEqual({
    prompt: 'a cat',
  });
});

test('a filled form is a request that the function takes as it is', () => {
  const filled = draft({
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
  });
  const request = requestOf(filled, 'image');
  const sources = {
    image_url: 'gs://b/generating/ada/source/a.png',
    mask_url: 'gs://b/generating/ada/source/b.png',
  };
  const inpaint = requestOf(filled, 'image', sources);
  expect(inpaint).toEqual({ ...request, ...sources, strength: 0.3 });
  expect(parseSubmission(inpaint, { userId: 'ada' })).toMatchObject({ ok: true, task: 'inpaint' });
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

test('a video is named as one even when everything is left to the model', () => {
  const request = requestOf(draft({ prompt: 'a cat' }), 'video');
  expect(request).toEqual({ task_type: 'text2video', prompt: 'a cat' });
  const filled = draft({
    prompt: 'a cat',
    negative_prompt: 'dogs',
    num_inference_steps: 20,
    seed: 7,
    num_frames: '17',
    fps: 8,
    video_width: 96,
    video_height: 64,
    video_guidance_scale: '2.5',
  });
  expect(requestOf(filled, 'video')).toEqual({
    ...request,
    negative_prompt: 'dogs',
    num_inference_steps: 20,
    seed: 7,
    num_frames: 17,
    fps: 8,
    video_width: 96,
    video_height: 64,
    video_guidance_scale: 2.5,
  });
  expect(parseSubmission(requestOf(filled, 'video'), { userId: 'ada' })).toMatchObject({
    task: 'text2video',
  });
});

test('what is no number is sent as it stands, so that it is refused by its name', () => {
  const request = requestOf(draft({ prompt: 'a cat', seed: '-' }), 'image');
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
