import { type ModelCard, modelCardSchema } from '@firepod/contract';
import { describe, expect, it } from 'vitest';
import { vocabularyWarnings } from './vocabulary.ts';

function cardWith(vocabulary?: object): ModelCard {
  return modelCardSchema.parse({
    id: 'tiny',
    name: 'Tiny',
    version: '1',
    tasks: ['text2img'],
    native_size: { width: 64, height: 64 },
    size_multiple: 8,
    defaults: {},
    licence: 'MIT',
    ...(vocabulary ? { vocabulary } : {}),
  });
}

describe('the words of a prompt', () => {
  const card = cardWith({
    subjects: ['ice cream', 'fox'],
    backgrounds: ['blue'],
    words: ['a', 'on', 'background'],
  });

  it('are all known when every one is in one of the lists, whatever its case', () => {
    expect(vocabularyWarnings('A fox, ICE CREAM on a blue background!', card)).toEqual([]);
  });

  it('are named where the model has never learned them', () => {
    expect(vocabularyWarnings('a baroque fox in Venice', card)).toEqual([
      'prompt: Tiny does not know “baroque”, “in”, “venice”; such words do not show in the picture.',
    ]);
  });

  it('are not judged for a model without a vocabulary', () => {
    expect(vocabularyWarnings('anything at all', cardWith())).toEqual([]);
  });
});
