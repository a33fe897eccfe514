import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseGeneration, projectLimitsSchema } from './document.ts';

const isTimestamp = (value: unknown): value is Date => value instanceof Date;
const parse = (data: unknown) => parseGeneration(data, isTimestamp);
const time = new Date(0);

describe('a document', () => {
  it("as the guide's function sets it reads as queued", () => {
    const data = {
      status: 'queued',
      created_at: time,
      request_data: { prompt: 'a' },
      file_uid: 'f',
      user_id: 'u',
    };
    expect(parse(data)).toEqual({
      ...data,
      updated_at: null,
      task_type: null,
      prompt_words: [],
      parent: null,
      job: null,
    });
  });

  it.each([
    ['queued', ['created_at', 'updated_at']],
    ['processing', ['created_at', 'updated_at', 'started_at']],
    ['completed', ['created_at', 'updated_at', 'modified', 'completed_at']],
    ['failed', ['created_at', 'updated_at', 'completed_at']],
  ])('that is %s without any time, or with texts for times, has null for each', (status, names) => {
    for (const times of [[], names.map((name) => [name, '2026-01-01T00:00:00Z'])]) {
      const generation = parse({ status, ...Object.fromEntries(times) });
      expect(generation).toMatchObject(Object.fromEntries(names.map((name) => [name, null])));
    }
  });

  it('reads by its state, without the fields of other states', () => {
    const progress = { phase: 'denoising', step: 3, steps: 25, percent: 12, eta_seconds: 4 };
    const data = { status: 'processing', progress, preview: 'data:image/webp;base64,AA', error: 'old' };
    const generation = parse(data);
    expect(generation).toMatchObject({ status: 'processing', progress, preview: data.preview });
    expect(generation && 'error' in generation).toBe(false);
  });

  it('keeps results of completed generations, whatever else is in them', () => {
    const generation_data = { image_urls: ['https://a/b.png'], seed: 7, mystery: { deep: true } };
    expect(parse({ status: 'completed', generation_data, modified: time })).toMatchObject({
      generated: true,
      generation_data,
      modified: time,
    });
  });

  it('of another shape reads as far as it can', () => {
    const generation = parse({
      status: 'failed',
      error_code: 'aliens',
      error: 7,
      job: 'x',
      prompt_words: 'a',
    });
    expect(generation).toMatchObject({
      error_code: 'internal',
      error: 'Something went wrong on our side. Please try again.',
      job: null,
      prompt_words: [],
    });
  });

  it('never shows a preview that is no image', () => {
    expect(parse({ status: 'processing', preview: 'javascript:alert(1)' })).toMatchObject({ preview: null });
  });

  it('without one of the four states is none', () => {
    for (const data of [undefined, null, {}, { status: 'paused' }, 'queued', []])
      expect(parse(data)).toBeNull();
  });

  it('of any content reads without an exception', () => {
    const status = fc.constantFrom('queued', 'processing', 'completed', 'failed');
    const names = [
      'request_data',
      'job',
      'progress',
      'generation_data',
      'error',
      'created_at',
      'prompt_words',
    ];
    const fields = Object.fromEntries(names.map((name) => [name, fc.anything()]));
    fc.assert(
      fc.property(fc.record({ status, ...fields }, { requiredKeys: ['status'] }), (data) => {
        expect(parse(data)?.status).toBe(data.status);
      }),
    );
  });
});

describe('the limits of a project', () => {
  it('have defaults, field by field', () => {
    expect(projectLimitsSchema.parse({})).toEqual({ open_per_user: 5, daily_per_user: 200 });
    expect(projectLimitsSchema.parse({ open_per_user: -1, daily_per_user: 3 })).toEqual({
      open_per_user: 5,
      daily_per_user: 3,
    });
  });
});
