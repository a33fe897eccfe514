import { type ModelCard, modelCardSchema } from '@firepod/contract';
import { expect, test } from 'vitest';
import { promptExamples } from './prompt-examples.ts';

const cardWith = (vocabulary: Partial<ModelCard['vocabulary']>) =>
  modelCardSchema.parse({
    id: 'tiny',
    name: 'Tiny',
    version: '1',
    tasks: ['text2img'],
    native_size: { width: 128, height: 128 },
    size_multiple: 8,
    defaults: {},
    licence: 'MIT',
    vocabulary,
  });

test('examples are made of words that the model knows, with the articles of the language', () => {
  const card = cardWith({
    subjects: ['apple', 'cherries', 'cactus'],
    backgrounds: ['red', 'orange', 'blue'],
  });
  expect(promptExamples(card)).toEqual([
    'an apple on a red background',
    'cherries on an orange background',
    'a cactus on a blue background',
  ]);
});

test('there are none without a card or where it lists too few words', () => {
  expect(promptExamples(undefined)).toEqual([]);
  expect(promptExamples(cardWith({ subjects: ['cat'], backgrounds: ['red', 'green', 'blue'] }))).toEqual([]);
});

test('a model of videos is asked for motions', () => {
  const card = cardWith({
    subjects: ['apple', 'fox', 'car'],
    backgrounds: ['red', 'green', 'blue'],
    motions: ['moving left', 'bouncing', 'spinning'],
  });
  expect(promptExamples(card)[1]).toBe('a fox bouncing on a green background');
});
