import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { TASK_TYPES } from './paths.ts';
import { describeProblems } from './problem.ts';
import { createJobInput, parseJobInput, parseSubmission } from './request.ts';
import { SCHEDULERS } from './request-fields.ts';

const caller = { userId: 'ada' };
const source = 'gs://demo.firebasestorage.app/generating/ada/source/cat.png';
const dataUrl = `data:image/png;base64,${btoa('not really a picture')}`;

function refusal(data: unknown): string {
  const checked = parseSubmission(data, caller);
  return checked.ok ? 'accepted' : describeProblems(checked.problems);
}

function inputRefusal(input: unknown): string {
  const checked = parseJobInput(input);
  return checked.ok ? 'accepted' : describeProblems(checked.problems);
}

describe("the function's door", () => {
  it('returns the fields exactly as they were sent, with no defaults', () => {
    const checked = parseSubmission({ prompt: 'a cat', width: 512, seed: null, height: undefined }, caller);
    expect(checked).toEqual({
      ok: true,
      request: { prompt: 'a cat', width: 512, seed: null },
      task: 'text2img',
      requestId: null,
    });
    expect(checked.ok && Object.keys(checked.request).sort()).toEqual(['prompt', 'seed', 'width']);
  });

  it.each([
    [{}, 'text2img'],
    [{ num_frames: 81 }, 'text2video'],
    [{ image_url: source }, 'img2img'],
    [{ image_url: 'https://example.com/cat.png', mask_url: dataUrl }, 'inpaint'],
    [{ task_type: 'text2video', fps: 24 }, 'text2video'],
    [{ task_type: 'img2img', image_url: source, strength: 1 }, 'img2img'],
  ] as const)('infers the task of %j as %s', (fields, task) => {
    expect(parseSubmission({ prompt: 'a cat', ...fields }, caller)).toMatchObject({ ok: true, task });
  });

  it('takes the request_id out of the request', () => {
    const checked = parseSubmission({ prompt: 'a cat', request_id: 'abcd-1234' }, caller);
    expect(checked).toMatchObject({ ok: true, requestId: 'abcd-1234', request: { prompt: 'a cat' } });
    expect(checked.ok && 'request_id' in checked.request).toBe(false);
  });

  it('allows line breaks, tabs, emoji and right-to-left text, counting characters and not UTF-16 units', () => {
    expect(refusal({ prompt: 'a cat\nfrom\tbehind\r\n👩‍👩‍👧 قطة' })).toBe('accepted');
    expect(refusal({ prompt: '🐈'.repeat(2000) })).toBe('accepted');
    expect(refusal({ prompt: '🐈'.repeat(2001) })).toContain('prompt: ');
  });

  it.each([
    [{ width: 1000.5 }, 'width: 1000.5 is not allowed; expected a multiple of 8 between 64 and 2048.'],
    [{ width: 1001 }, 'width: 1001 is not allowed; expected a multiple of 8 between 64 and 2048.'],
    [{ height: 56 }, 'height: 56 is not allowed; expected a multiple of 8 between 64 and 2048.'],
    [{ height: 2056 }, 'height: 2056 is not allowed; expected a multiple of 8 between 64 and 2048.'],
    [{ width: '512' }, 'width: "512" is not allowed; expected a multiple of 8 between 64 and 2048.'],
    [{ num_images: 5 }, 'num_images: 5 is not allowed; expected a whole number from 1 to 4.'],
    [{ num_images: 0 }, 'num_images: 0 is not allowed; expected a whole number from 1 to 4.'],
    [
      { num_inference_steps: 151 },
      'num_inference_steps: 151 is not allowed; expected a whole number from 1 to 150.',
    ],
    [
      { refiner_inference_steps: 0 },
      'refiner_inference_steps: 0 is not allowed; expected a whole number from 1 to 150.',
    ],
    [{ high_noise_frac: 1.1 }, 'high_noise_frac: 1.1 is not allowed; expected null or a number from 0 to 1.'],
    [{ guidance_scale: 30.1 }, 'guidance_scale: 30.1 is not allowed; expected a number from 0 to 30.'],
    [{ guidance_scale: Number.NaN }, 'guidance_scale: NaN is not allowed; expected a number from 0 to 30.'],
    [{ scheduler: 'ddim' }, `scheduler: "ddim" is not allowed; expected one of ${SCHEDULERS.join(', ')}.`],
    [{ seed: -1 }, 'seed: -1 is not allowed; expected null or a whole number from 0 to 4294967295.'],
    [
      { seed: 2 ** 32 },
      'seed: 4294967296 is not allowed; expected null or a whole number from 0 to 4294967295.',
    ],
    [{ output_format: 'gif' }, 'output_format: "gif" is not allowed; expected one of png, jpeg, webp.'],
    [{ task_type: 'video' }, `task_type: "video" is not allowed; expected one of ${TASK_TYPES.join(', ')}.`],
    [{ num_frames: 80 }, 'num_frames: 80 is not allowed; expected a multiple of 4 plus 1, from 5 to 161.'],
    [{ num_frames: 165 }, 'num_frames: 165 is not allowed; expected a multiple of 4 plus 1, from 5 to 161.'],
    [{ num_frames: 5, fps: 61 }, 'fps: 61 is not allowed; expected a whole number from 1 to 60.'],
    [
      { num_frames: 5, video_width: 60 },
      'video_width: 60 is not allowed; expected a multiple of 8 between 64 and 2048.',
    ],
    [
      { num_frames: 5, video_guidance_scale: 21 },
      'video_guidance_scale: 21 is not allowed; expected a number from 0 to 20.',
    ],
    [
      { image_url: source, strength: 0 },
      'strength: 0 is not allowed; expected a number above 0 and at most 1.',
    ],
    [{ strength: 0.5 }, 'strength: 0.5 is not allowed for text2img; expected only for img2img and inpaint.'],
    [{ fps: 15 }, 'fps: 15 is not allowed for text2img; expected only for text2video.'],
    [
      { num_frames: 81, width: 512 },
      'width: 512 is not allowed for text2video; expected only for text2img and img2img and inpaint.',
    ],
    [
      { mask_url: dataUrl },
      `mask_url: "${dataUrl.slice(0, 50)}" is not allowed for text2img; expected only for inpaint, together with image_url.`,
    ],
    [
      { request_id: 'short' },
      'request_id: "short" is not allowed; expected 8 to 64 letters, digits, "_" or "-".',
    ],
    [{ promt: 'a' }, 'promt: is no field of a request; did you mean prompt?'],
    [{ guidanceScale: 7 }, 'guidanceScale: is no field of a request; did you mean guidance_scale?'],
    [{ user_id: 'eve' }, 'user_id: is not allowed here; the function sets it itself.'],
  ])('refuses %j and says why', (fields, message) => {
    const problems = parseSubmission({ prompt: 'a cat', ...fields }, caller);
    expect(problems.ok ? [] : problems.problems.map((problem) => problem.message)).toEqual([message]);
  });

  it.each(['', '   ', 'bell\u0007', 'nul\u0000', 'del\u007f', 'half \ud83d', null, 7])(
    'refuses the prompt %j',
    (prompt) => {
      expect(refusal({ prompt })).toMatch(
        /^prompt: .* is not allowed; expected text of 1 to 2000 characters/,
      );
    },
  );

  it('asks for what a task cannot do without', () => {
    expect(refusal({})).toBe(
      'prompt: is missing; expected text of 1 to 2000 characters without control characters.',
    );
    expect(refusal({ prompt: 'a', task_type: 'inpaint', image_url: source })).toMatch(
      /^mask_url: is missing/,
    );
    expect(refusal({ prompt: 'a', task_type: 'text2img', image_url: source })).toMatch(
      /^image_url: .* for text2img/,
    );
  });

  it.each([
    'http://example.com/cat.png',
    'ftp://example.com/cat.png',
    'file:///etc/passwd',
    'https://',
    'https://exa mple.com/cat.png',
    'gs://bucket/generating/eve/source/cat.png',
    'gs://bucket/generating/ada/image/cat.png',
    'gs://bucket/generating/ada/source/../../eve/source/cat.png',
    'gs://bucket/generating/ada/source/..',
    'data:image/svg+xml;base64,AAAA',
    'data:image/png,AAAA',
    'data:image/png;base64,A*A',
  ])('refuses the source %s', (image_url) => {
    expect(refusal({ prompt: 'a', image_url })).toMatch(/^image_url: /);
  });

  it('refuses a data URL that would not fit into the document, and says what to do', () => {
    const image_url = `data:image/png;base64,${'A'.repeat(400_000)}`;
    expect(refusal({ prompt: 'a', image_url })).toMatch(
      /^image_url: .{60,150} at most 400000 characters; upload/,
    );
    expect(parseJobInput({ prompt: 'a', image_url })).toMatchObject({ ok: true });
  });

  it('reports every problem of one request', () => {
    const checked = parseSubmission({ width: 1, hieght: 512, fps: 15, seed: 'x' }, caller);
    expect(checked.ok ? [] : checked.problems.map((problem) => problem.field).sort()).toEqual(
      ['fps', 'hieght', 'prompt', 'seed', 'width'].sort(),
    );
  });

  it.each([null, undefined, 'a cat', 7, ['a cat'], true])('refuses %j, which is no object', (data) => {
    expect(refusal(data)).toMatch(/^request: .* is not allowed; expected an object with a prompt\.$/);
  });
});

describe("the worker's door", () => {
  it('takes what the function posts', () => {
    const input = createJobInput({ prompt: 'a cat', seed: null }, { userId: 'ada', fileUid: 'f-1', seed: 7 });
    expect(parseJobInput(input)).toEqual({
      ok: true,
      request: { prompt: 'a cat', seed: 7 },
      task: 'text2img',
      userId: 'ada',
      fileUid: 'f-1',
      useCloudStorage: true,
      warnings: [],
    });
  });

  it('needs no ids where results go back as data URLs', () => {
    expect(parseJobInput({ prompt: 'a cat' })).toMatchObject({
      ok: true,
      userId: null,
      useCloudStorage: false,
    });
    expect(inputRefusal({ prompt: 'a cat', use_cloud_storage: true })).toMatch(
      /^user_id: is missing.*file_uid: is missing/,
    );
  });

  it('reports fields it does not know as warnings', () => {
    const checked = parseJobInput({ prompt: 'a cat', clip_skip: 2 });
    expect(checked).toMatchObject({
      ok: true,
      request: { prompt: 'a cat' },
      warnings: ['clip_skip: this worker does not know the field and ignored it.'],
    });
  });

  it('refuses a newer contract before it judges anything else', () => {
    expect(inputRefusal({ prompt: 7, contract: 2 })).toBe(
      'contract: 2 is not allowed; expected at most 1: update the worker, the function is newer.',
    );
  });

  it.each([
    ['contract', 0],
    ['contract', '1'],
    ['user_id', 'a/b'],
    ['user_id', '..'],
    ['user_id', '__x__'],
    ['user_id', ''],
    ['user_id', 'x'.repeat(129)],
    ['file_uid', 'a_1'],
    ['file_uid', 'x'.repeat(129)],
    ['use_cloud_storage', 'yes'],
    ['width', 1000.5],
    ['fps', 15],
  ])('refuses %s %j', (field, value) => {
    const input = { prompt: 'a', user_id: 'ada', file_uid: 'f-1', [field]: value };
    expect(inputRefusal(input)).toMatch(new RegExp(`^${field}: .* is not allowed`));
  });

  it("refuses a gs:// source that is not the job's user's", () => {
    expect(parseJobInput({ prompt: 'a', image_url: source, user_id: 'ada' }).ok).toBe(true);
    expect(inputRefusal({ prompt: 'a', image_url: source, user_id: 'eve' })).toMatch(
      /^image_url: .* of the same user/,
    );
    expect(inputRefusal({ prompt: 'a', image_url: source })).toMatch(/^image_url: .* of the same user/);
  });
});

const prompt = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 200 }).filter((text) => {
  return text.trim() !== '' && !/[^\P{Cc}\t\n\r]/u.test(text);
});
const size = fc.integer({ min: 8, max: 256 }).map((eighths) => eighths * 8);
const good = {
  negative_prompt: fc.option(prompt),
  num_inference_steps: fc.integer({ min: 1, max: 150 }),
  seed: fc.option(fc.integer({ min: 0, max: 2 ** 32 - 1 })),
};
const goodImage = {
  ...good,
  width: size,
  height: size,
  num_images: fc.integer({ min: 1, max: 4 }),
  refiner_inference_steps: fc.integer({ min: 1, max: 150 }),
  high_noise_frac: fc.option(fc.double({ min: 0, max: 1, noNaN: true })),
  guidance_scale: fc.double({ min: 0, max: 30, noNaN: true }),
  scheduler: fc.constantFrom(...SCHEDULERS),
  output_format: fc.constantFrom('png', 'jpeg', 'webp'),
};
const strength = fc.double({ min: 0, max: 1, minExcluded: true, noNaN: true });
const url = fc.constantFrom(source, dataUrl, 'https://example.com/a.png?b=c');

/** Any request that the table allows, with any of its optional fields. */
const goodRequest = fc.oneof(
  fc.record({ prompt, task_type: fc.constant('text2img'), ...goodImage }, { requiredKeys: ['prompt'] }),
  fc.record({ prompt, image_url: url, strength, ...goodImage }, { requiredKeys: ['prompt', 'image_url'] }),
  fc.record(
    { prompt, image_url: url, mask_url: url, strength, ...goodImage },
    { requiredKeys: ['prompt', 'image_url', 'mask_url'] },
  ),
  fc.record(
    {
      prompt,
      task_type: fc.constant('text2video'),
      ...good,
      num_frames: fc.integer({ min: 1, max: 40 }).map((k) => 4 * k + 1),
      fps: fc.integer({ min: 1, max: 60 }),
      video_width: size,
      video_height: size,
      video_guidance_scale: fc.double({ min: 0, max: 20, noNaN: true }),
    },
    { requiredKeys: ['prompt', 'task_type'] },
  ),
);

/** For each field some values that its rule refuses, whatever else a request says. */
const badValues: Record<string, fc.Arbitrary<unknown>> = {
  prompt: fc.constantFrom('', 'a\u0000', 1, null, 'x'.repeat(2001)),
  negative_prompt: fc.constantFrom('a\u0001', 1, 'x'.repeat(2001)),
  num_inference_steps: fc.oneof(fc.integer({ max: 0 }), fc.integer({ min: 151 }), fc.constant(2.5)),
  seed: fc.oneof(fc.integer({ max: -1 }), fc.constant(2 ** 32), fc.constant('7')),
  width: fc.oneof(fc.integer({ min: 2049 }), fc.integer({ max: 63 }), fc.constant(65)),
  height: fc.oneof(fc.integer({ min: 2049 }), fc.integer({ max: 63 }), fc.constant(65)),
  num_images: fc.oneof(fc.integer({ max: 0 }), fc.integer({ min: 5 })),
  refiner_inference_steps: fc.oneof(fc.integer({ max: 0 }), fc.integer({ min: 151 })),
  high_noise_frac: fc.constantFrom(-0.1, 1.1, 'all'),
  guidance_scale: fc.constantFrom(-1, 30.5, null),
  strength: fc.constantFrom(0, 1.01, null),
  scheduler: fc.constantFrom('Euler', '', null),
  output_format: fc.constantFrom('gif', 'PNG', null),
  image_url: fc.constantFrom('cat.png', 'http://a.b/c', '', 7),
  mask_url: fc.constantFrom('cat.png', 'http://a.b/c', '', 7),
  num_frames: fc.oneof(fc.integer({ max: 4 }), fc.integer({ min: 162 }), fc.constant(82)),
  fps: fc.oneof(fc.integer({ max: 0 }), fc.integer({ min: 61 })),
  video_width: fc.constantFrom(63, 65, 2056),
  video_height: fc.constantFrom(63, 65, 2056),
  video_guidance_scale: fc.constantFrom(-1, 20.5),
  task_type: fc.constantFrom('txt2img', '', 1),
  request_id: fc.constantFrom('short', 'with space', 'x'.repeat(65)),
};

describe('any request', () => {
  it('that is accepted is accepted again unchanged, at both doors', () => {
    fc.assert(
      fc.property(goodRequest, (request) => {
        const first = parseSubmission(request, caller);
        expect(first).toMatchObject({ ok: true, request });
        if (!first.ok) return;
        expect(parseSubmission(first.request, caller)).toEqual(first);
        const input = JSON.parse(JSON.stringify({ ...first.request, user_id: 'ada' }));
        expect(parseJobInput(input)).toMatchObject({ ok: true, task: first.task });
      }),
    );
  });

  it('that breaks any single rule is refused with the name of the field', () => {
    const broken = fc
      .constantFrom(...Object.keys(badValues))
      .chain((field) => fc.tuple(fc.constant(field), badValues[field]!, goodRequest));
    fc.assert(
      fc.property(broken, ([field, value, request]) => {
        const checked = parseSubmission({ ...request, [field]: value }, caller);
        expect(checked.ok).toBe(false);
        const named = checked.ok ? [] : checked.problems.filter((problem) => problem.field === field);
        expect(named).toHaveLength(1);
        expect(named[0]!.message.startsWith(`${field}: `)).toBe(true);
        expect(named[0]!.message.length).toBeLessThan(300);
      }),
    );
  });

  it('of arbitrary JSON is judged without an exception', () => {
    const names = fc.oneof(
      fc.constantFrom(...Object.keys(badValues), 'user_id', 'contract', '__proto__'),
      fc.string(),
    );
    const anything = fc.oneof(fc.jsonValue(), fc.dictionary(names, fc.jsonValue()), fc.anything());
    fc.assert(
      fc.property(anything, (data) => {
        for (const checked of [parseSubmission(data, caller), parseJobInput(data)]) {
          if (!checked.ok) expect(checked.problems.length).toBeGreaterThan(0);
        }
      }),
      { numRuns: 500 },
    );
  });
});
