/** The request table, each rule broken once: what is sent, and what the refusal must name. */

export interface BrokenRule {
  rule: string;
  /** Sent with a good prompt, unless it names one itself. */
  fields: Record<string, unknown>;
  /** The field that the refusal names. */
  field: string;
  /** How the refusal shows the value. */
  shows: string;
  /** What the refusal says was expected. */
  expected: RegExp;
}

const rule = (
  name: string,
  fields: Record<string, unknown>,
  field: string,
  shows: unknown,
  expected: RegExp,
): BrokenRule => ({
  rule: name,
  fields,
  field,
  shows: String(shows),
  expected,
});

/** The rules that both the function and the worker refuse. */
export const brokenRules: BrokenRule[] = [
  rule('an unknown task', { task_type: 'text2song' }, 'task_type', 'text2song', /text2img/),
  rule(
    'a task that contradicts its fields',
    { task_type: 'text2img', num_frames: 17 },
    'num_frames',
    '17',
    /text2video/,
  ),
  rule('no prompt', { prompt: null }, 'prompt', 'null', /1 to 2000 characters/),
  rule('an empty prompt', { prompt: '' }, 'prompt', '""', /1 to 2000 characters/),
  rule('a prompt of 2001 characters', { prompt: 'x'.repeat(2001) }, 'prompt', 'xxx', /1 to 2000 characters/),
  rule('a control character', { prompt: 'a\u0007b' }, 'prompt', 'a', /control characters/),
  rule('a prompt that is no text', { prompt: 7 }, 'prompt', '7', /1 to 2000 characters/),
  rule(
    'a long negative prompt',
    { negative_prompt: 'y'.repeat(2001) },
    'negative_prompt',
    'yyy',
    /at most 2000/,
  ),
  rule('a width that is no multiple of 8', { width: 100 }, 'width', '100', /multiple of \d+ between/),
  rule('a width below 64', { width: 56 }, 'width', '56', /between 64/),
  rule('a width over 2048', { width: 2056 }, 'width', '2056', /between 64/),
  rule('a height as text', { height: '128' }, 'height', '128', /multiple of \d+ between/),
  rule('no images', { num_images: 0 }, 'num_images', '0', /from 1 to 4/),
  rule('five images', { num_images: 5 }, 'num_images', '5', /from 1 to 4/),
  rule('half an image', { num_images: 1.5 }, 'num_images', '1.5', /whole number/),
  rule('no steps', { num_inference_steps: 0 }, 'num_inference_steps', '0', /from 1 to 150/),
  rule('151 steps', { num_inference_steps: 151 }, 'num_inference_steps', '151', /from 1 to 150/),
  rule(
    '151 refiner steps',
    { refiner_inference_steps: 151 },
    'refiner_inference_steps',
    '151',
    /from 1 to 150/,
  ),
  rule('a fraction above one', { high_noise_frac: 1.1 }, 'high_noise_frac', '1.1', /from 0 to 1/),
  rule('a negative guidance', { guidance_scale: -1 }, 'guidance_scale', '-1', /from 0 to 30/),
  rule('a guidance over 30', { guidance_scale: 30.5 }, 'guidance_scale', '30.5', /from 0 to 30/),
  rule(
    'a strength of nothing',
    { image_url: 'https://example.com/a.png', strength: 0 },
    'strength',
    '0',
    /above 0 and at most 1/,
  ),
  rule(
    'a strength over one',
    { image_url: 'https://example.com/a.png', strength: 1.1 },
    'strength',
    '1.1',
    /above 0 and at most 1/,
  ),
  rule('a strength without an image', { strength: 0.5 }, 'strength', '0.5', /img2img/),
  rule('an unknown scheduler', { scheduler: 'EULER' }, 'scheduler', 'EULER', /DDIM/),
  rule('a negative seed', { seed: -1 }, 'seed', '-1', /0 to 4294967295/),
  rule('half a seed', { seed: 0.5 }, 'seed', '0.5', /whole number/),
  rule('a seed over 2^32−1', { seed: 4294967296 }, 'seed', '4294967296', /0 to 4294967295/),
  rule('a file path as source', { image_url: '/etc/passwd' }, 'image_url', '/etc/passwd', /https/),
  rule('an unsafe scheme', { image_url: 'http://10.0.0.1/a.png' }, 'image_url', 'http://10.0.0.1', /https/),
  rule(
    'data that is no image',
    { image_url: 'data:text/html;base64,AAAA' },
    'image_url',
    'data:text/html',
    /PNG, JPEG or WebP/,
  ),
  rule(
    'another user’s source',
    { image_url: 'gs://b/generating/somebody-else/source/a.png' },
    'image_url',
    'somebody-else',
    /source/,
  ),
  rule(
    'a mask without an image',
    { mask_url: 'https://example.com/m.png' },
    'mask_url',
    'example.com',
    /image_url/,
  ),
  rule('an unknown format', { output_format: 'gif' }, 'output_format', 'gif', /png, jpeg, webp/),
  rule('frames that are not 4k+1', { num_frames: 16 }, 'num_frames', '16', /multiple of 4 plus 1/),
  rule('too few frames', { num_frames: 1 }, 'num_frames', '1', /from 5/),
  rule('too many frames', { num_frames: 165 }, 'num_frames', '165', /161/),
  rule('no frames a second', { num_frames: 17, fps: 0 }, 'fps', '0', /from 1 to 60/),
  rule('61 frames a second', { num_frames: 17, fps: 61 }, 'fps', '61', /from 1 to 60/),
  rule(
    'a video width that is no multiple',
    { num_frames: 17, video_width: 100 },
    'video_width',
    '100',
    /multiple of/,
  ),
  rule('a video height over 2048', { num_frames: 17, video_height: 4096 }, 'video_height', '4096', /between/),
  rule(
    'a video guidance over 20',
    { num_frames: 17, video_guidance_scale: 21 },
    'video_guidance_scale',
    '21',
    /from 0 to 20/,
  ),
  rule(
    'an image’s field in a video',
    { num_frames: 17, guidance_scale: 5 },
    'guidance_scale',
    '5',
    /text2img/,
  ),
];
