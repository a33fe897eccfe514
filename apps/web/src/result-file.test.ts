import { expect, test } from 'vitest';
import { resultFileName } from './result-file.ts';

test.each([
  ['a-red-apple-7.mp4', 'A red apple!', 7, 'https://storage/generating/ada/video/x.mp4'],
  ['eine-möwe-0.webp', ' Eine Möwe, ', 0, 'https://storage/x.webp?alt=media&token=1.2'],
  ['firepod.png', '!?', undefined, 'https://storage/v0/b/b/o/generating%2Fada%2Fimage%2Fx.png?alt=media'],
])('%s', (name, prompt, seed, url) => {
  expect(resultFileName(prompt, seed, url)).toBe(name);
});

test('a long prompt is cut', () => {
  expect(resultFileName('x'.repeat(2000), 1, 'https://storage/x.png')).toBe(`${'x'.repeat(60)}-1.png`);
});
