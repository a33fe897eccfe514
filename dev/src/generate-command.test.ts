import { expect, test } from 'vitest';
import { parseGenerateCommand } from './generate-command.ts';

test('a prompt, a file and fields of any kind are told apart', () => {
  const words = [
    'a red apple',
    '--seed',
    '7',
    '--out',
    'apple.png',
    '--num-inference-steps=12',
    '--negative_prompt',
    'null',
  ];
  expect(parseGenerateCommand(words)).toEqual({
    out: 'apple.png',
    dataFolder: expect.stringMatching(/\.firepod$/),
    sources: {},
    request: { prompt: 'a red apple', seed: 7, num_inference_steps: 12, negative_prompt: 'null' },
  });
});

test('a task and the pictures that it starts from are named by short words', () => {
  const words = ['x', '--task', 'inpaint', '--image', 'in.png', '--mask=mask.png', '--strength', '0.6'];
  expect(parseGenerateCommand(words)).toMatchObject({
    out: 'generation.png',
    sources: { image: 'in.png', mask: 'mask.png' },
    request: { prompt: 'x', task_type: 'inpaint', strength: 0.6 },
  });
});

test('a video goes to an .mp4, and a file of that ending asks for a video', () => {
  expect(parseGenerateCommand(['x', '--task', 'text2video'])).toMatchObject({ out: 'generation.mp4' });
  expect(parseGenerateCommand(['x', '--num-frames', '17'])).toMatchObject({ out: 'generation.mp4' });
  expect(parseGenerateCommand(['x', '--out', 'a.mp4'])).toMatchObject({
    request: { task_type: 'text2video' },
  });
  expect(parseGenerateCommand(['x', '--out', 'a.png', '--task', 'text2video'])).not.toHaveProperty(
    'request.output_format',
  );
});

test('null and truth values are taken as such outside text fields', () => {
  expect(parseGenerateCommand(['x', '--seed', 'null'])).toMatchObject({ request: { seed: null } });
});

test('a value that is no number stays text, so that the refusal names it', () => {
  expect(parseGenerateCommand(['x', '--seed', 'seven'])).toMatchObject({ request: { seed: 'seven' } });
});

test('a missing prompt, a second prompt and a missing value are refused', () => {
  expect(() => parseGenerateCommand(['--seed', '7'])).toThrow('There is no prompt');
  expect(() => parseGenerateCommand(['a red', 'apple'])).toThrow('two prompts');
  expect(() => parseGenerateCommand(['x', '--seed'])).toThrow('--seed has no value');
});

test('the ending of the file chooses the format, unless a field does', () => {
  expect(parseGenerateCommand(['x', '--out', 'a.JPG'])).toMatchObject({ request: { output_format: 'jpeg' } });
  expect(parseGenerateCommand(['x', '--out', 'a.webp', '--output-format', 'png'])).toMatchObject({
    request: { output_format: 'png' },
  });
  expect(parseGenerateCommand(['x', '--out', 'a.png'])).not.toHaveProperty('request.output_format');
});
