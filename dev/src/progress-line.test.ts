import { expect, test } from 'vitest';
import { createProgressLine } from './progress-line.ts';

function record(isTTY: boolean) {
  let written = '';
  const line = createProgressLine({ isTTY, write: (text) => (written += text) });
  for (const text of ['queued', 'queued', 'processing: denoising 5 %', 'completed']) line.show(text);
  line.end();
  line.end();
  return written;
}

test('a pipe gets one line for each news', () => {
  expect(record(false)).toBe('queued\nprocessing: denoising 5 %\ncompleted\n');
});

test('a terminal shows one line that changes, and ends it once', () => {
  expect(record(true).replaceAll('\r\u001b[K', '|')).toBe('|queued|processing: denoising 5 %|completed\n');
});
