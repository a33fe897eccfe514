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
    request: { prompt: 'a red apple', seed: 7, num_inference_steps: 12, negative_prompt: 'null' },
  });
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
