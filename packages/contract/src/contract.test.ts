import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { ERROR_CODES, isErrorCode } from './error-codes.ts';
import { nearestName } from './nearest-name.ts';
import { shorten } from './problem.ts';
import { REQUEST_FIELDS, REQUEST_SCHEMAS, tasksOf } from './request-fields.ts';
import { seedFromFileUid, seedOfImage } from './seed.ts';

describe('the request table', () => {
  it('can be written as JSON schema, with the words of each rule', () => {
    const schema = z.toJSONSchema(REQUEST_SCHEMAS.inpaint, { io: 'input' });
    expect(schema).toMatchObject({
      additionalProperties: false,
      required: ['prompt', 'image_url', 'mask_url'],
      properties: {
        prompt: { type: 'string', minLength: 1, maxLength: 2000 },
        width: { type: 'integer', minimum: 64, maximum: 2048, multipleOf: 8 },
      },
    });
    for (const property of Object.values(schema.properties ?? {})) {
      expect(JSON.stringify(property)).toContain('"description"');
    }
  });

  it('has each field for the tasks of the design', () => {
    const images = ['text2img', 'img2img', 'inpaint'];
    const all = [...images, 'text2video'];
    expect(Object.fromEntries(REQUEST_FIELDS.map((field) => [field, tasksOf(field)]))).toEqual({
      task_type: all,
      prompt: all,
      negative_prompt: all,
      num_inference_steps: all,
      seed: all,
      width: images,
      height: images,
      num_images: images,
      refiner_inference_steps: images,
      high_noise_frac: images,
      guidance_scale: images,
      scheduler: images,
      output_format: images,
      strength: ['img2img', 'inpaint'],
      image_url: ['img2img', 'inpaint'],
      mask_url: ['inpaint'],
      num_frames: ['text2video'],
      fps: ['text2video'],
      video_width: ['text2video'],
      video_height: ['text2video'],
      video_guidance_scale: ['text2video'],
    });
  });
});

describe('error codes', () => {
  it('are the closed list of the design, each with a sentence', () => {
    expect(Object.keys(ERROR_CODES).join(' ')).toBe(
      'invalid_argument cancelled timeout out_of_memory model_not_available source_not_available upload_failed worker_lost dispatch_failed content_rejected internal',
    );
    for (const { sentence } of Object.values(ERROR_CODES)) expect(sentence).toMatch(/^[A-Z].*\.$/);
    expect([isErrorCode('timeout'), isErrorCode('toString'), isErrorCode(7)]).toEqual([true, false, false]);
  });
});

describe('seeds', () => {
  it('of a file_uid are the first four bytes of its SHA-256', async () => {
    // printf abc | sha256sum → ba7816bf…
    expect(await seedFromFileUid('abc')).toBe(0xba7816bf);
  });

  it('count up and wrap at 2^32', () => {
    expect([seedOfImage(7, 0), seedOfImage(7, 2), seedOfImage(2 ** 32 - 1, 1)]).toEqual([7, 9, 0]);
  });
});

describe('names and values in messages', () => {
  it.each([
    ['promt', 'prompt'],
    ['Prompt', 'prompt'],
    ['num-images', 'num_images'],
    ['widht', 'width'],
    ['steps', null],
    ['', null],
  ])('the name nearest to %j is %j', (name, nearest) => {
    expect(nearestName(name, REQUEST_FIELDS)).toBe(nearest);
  });

  it.each([
    ['a', '"a"'],
    [undefined, 'undefined'],
    [Number.POSITIVE_INFINITY, 'Infinity'],
    [{ a: [1, 2] }, 'an object'],
    [[1], 'a list'],
    [null, 'null'],
    ['x'.repeat(1000), `"${'x'.repeat(60)}…"`],
  ])('%j is shown as %s', (value, shown) => {
    expect(shorten(value)).toBe(shown);
  });
});

describe('the package', () => {
  it('depends on zod alone', () => {
    const { dependencies } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'));
    expect(Object.keys(dependencies)).toEqual(['zod']);
  });
});
