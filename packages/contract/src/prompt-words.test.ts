import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { promptWords } from './prompt-words.ts';

describe('the words of a prompt', () => {
  it.each([
    ['A red Apple, on a BLUE background', ['a', 'red', 'apple', 'on', 'blue', 'background']],
    ['Ein Käse-Schloß', ['ein', 'käse', 'schloß']],
    ['cafe\u0301 ﬁsh №1', ['café', 'fish', 'no1']],
    ['(masterpiece:1.2), 8k', ['masterpiece', '1', '2', '8k']],
    ['красная Ёлка', ['красная', 'ёлка']],
    ['तितली और फूल', ['तितली', 'और', 'फूल']],
    ['赤いリンゴ sd', ['赤', 'い', 'リ', 'ン', 'ゴ', 'sd']],
    ['🐈 ... !', []],
  ])('of %j are %j', (prompt, words) => {
    expect(promptWords(prompt)).toEqual(words);
  });

  it('are at most 40, each once, in lower case, and the same again when searched for', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', maxLength: 400 }), (prompt) => {
        const words = promptWords(prompt);
        expect(words.length).toBeLessThanOrEqual(40);
        expect(new Set(words).size).toBe(words.length);
        for (const word of words) expect(promptWords(word)).toEqual([word]);
      }),
    );
    expect(promptWords(Array.from({ length: 50 }, (_, index) => `word${index}`).join(' '))).toHaveLength(40);
  });
});
