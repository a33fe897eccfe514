import fc from 'fast-check';
import { expect, test } from 'vitest';
import { EvaluationError } from '../values.ts';
import { regularExpression } from './regular-expression.ts';

/** Patterns that mean the same in RE2 and JavaScript. `isEmptiable` ones are not repeated: there the two differ in what they prefer. */
const patterns = fc.letrec<{ tree: { text: string; isEmptiable: boolean } }>((tie) => {
  const tree = tie('tree');
  const leaf = fc
    .constantFrom('a', 'b', 'c', '.', '[ab]', '[^a]', '\\d', '\\w', 'é', '\\.')
    .map((text) => ({ text, isEmptiable: false }));
  const empty = fc.constantFrom('^', '$', '\\b', '\\B', '(?:)').map((text) => ({ text, isEmptiable: true }));
  const sequence = fc.tuple(tree, tree).map(([left, right]) => ({
    text: left.text + right.text,
    isEmptiable: left.isEmptiable && right.isEmptiable,
  }));
  const choice = fc.tuple(tree, tree).map(([left, right]) => ({
    text: `(${left.text}|${right.text})`,
    isEmptiable: left.isEmptiable || right.isEmptiable,
  }));
  const repetition = fc
    .tuple(tree, fc.constantFrom('*', '+', '?', '*?', '+?', '??', '{2}', '{1,2}', '{1,}', '{0,2}?'))
    .map(([part, symbol]) =>
      part.isEmptiable
        ? part
        : { text: `(?:${part.text})${symbol}`, isEmptiable: !/[+]|\{[12]/.test(symbol) },
    );
  return {
    tree: fc.oneof(
      { maxDepth: 5, depthIdentifier: 'pattern' },
      leaf,
      leaf,
      empty,
      sequence,
      choice,
      repetition,
    ),
  };
}).tree;
const texts = fc.string({ unit: fc.constantFrom('a', 'b', 'c', 'é', '1', '\n', '.'), maxLength: 8 });

test('matches what JavaScript matches, where the two languages agree', () => {
  fc.assert(
    fc.property(patterns, texts, ({ text: pattern }, text) => {
      const expression = regularExpression(pattern);
      const characters = [...text];
      // RE2's dot leaves out the line feed alone, as JavaScript's does for these texts.
      expect(expression.matchesAll(characters)).toBe(new RegExp(`^(?:${pattern})$`, 'u').test(text));
      const found = new RegExp(pattern, 'u').exec(text);
      const expected = found === null ? null : { start: found.index, end: found.index + found[0].length };
      expect(expression.find(characters, 0)).toEqual(expected);
    }),
    { numRuns: 500 },
  );
});

test('any text is a pattern or is refused with the reason', () => {
  const unit = fc.constantFrom(...'ab09()[]{}|*+?^$.\\\\\\-,:<>=!#pPQEAzxisé\ud800');
  fc.assert(
    fc.property(fc.string({ unit, maxLength: 12 }), texts, (pattern, text) => {
      try {
        expect(typeof regularExpression(pattern).matchesAll([...text])).toBe('boolean');
      } catch (error) {
        if (!(error instanceof EvaluationError)) throw error;
        expect(error.message).toMatch(/^The regular expression .* is (not valid: .|too large)/);
      }
    }),
    { numRuns: 2000 },
  );
});

test('a pattern that explodes elsewhere takes the time of the text', () => {
  for (const pattern of ['(a*)*b', '(a+)+b', '(a|aa)+b', '(.*a){12}b']) {
    expect(regularExpression(pattern).matchesAll([...'a'.repeat(2000)])).toBe(false);
  }
});
