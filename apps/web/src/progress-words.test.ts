import type { Progress } from '@firepod/client';
import { expect, test } from 'vitest';
import { queued } from '../test/generations.ts';
import { progressWords } from './progress-words.ts';

const job = { id: 'job-1', attempt: 1 };
const { reference } = queued('a cat');
const at = (phase: Progress['phase'], percent: number, eta_seconds: number | null) => ({
  phase,
  step: 1,
  steps: 2,
  percent,
  eta_seconds,
});

test.each([
  ['Starting', null],
  ['Loading the model', at('loading', 1, null)],
  ['Painting 42 %', at('denoising', 41.7, null)],
  ['Painting 42 %, 3 s left', at('denoising', 42, 2.1)],
  ['Painting 89 %, 1 s left', at('denoising', 89, 0)],
  ['Painting 5 %, 12 min left', at('denoising', 5, 700)],
  ['Reading the prompt', at('encoding', 3, null)],
  ['Finishing', at('decoding', 94, null)],
  ['Saving', at('uploading', 95, null)],
])('%s', (words, progress) => {
  expect(progressWords({ progress, job, reference })).toBe(words);
});

test('a later attempt is named', () => {
  expect(progressWords({ progress: at('denoising', 10, 8), job: { id: null, attempt: 2 }, reference })).toBe(
    'Painting (attempt 2) 10 %, 8 s left',
  );
});

test('the last part of a video is named for what takes so long', () => {
  const video = { ...reference, media_type: 'video' } as const;
  expect(progressWords({ progress: at('decoding', 94, null), job, reference: video })).toBe(
    'Drawing the frames',
  );
  expect(progressWords({ progress: at('denoising', 42, 2), job, reference: video })).toBe(
    'Painting 42 %, 2 s left',
  );
});
