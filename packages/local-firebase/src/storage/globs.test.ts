import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { StorageRequestError } from './errors.ts';
import { matchesGlob } from './globs.ts';

describe('globs', () => {
  test.each([
    ['*.png', 'a.png', true],
    ['*.png', 'b/a.png', false],
    ['**.png', 'b/a.png', true],
    ['**/a.png', 'a.png', true],
    ['a/**/d', 'a/b/c/d', true],
    ['a/?.png', 'a/x.png', true],
    ['a/?.png', 'a//.png', false],
    ['[a-c]x', 'bx', true],
    ['[!a-c]x', 'bx', false],
    ['{one,two}/*', 'two/x', true],
    ['{one,two}/*', 'three/x', false],
    ['a+b(c).txt', 'a+b(c).txt', true],
    ['\\*', '*', true],
    ['\\*', 'x', false],
  ])('%s of %s: %s', (glob, name, expected) => {
    expect(matchesGlob(glob)(name)).toBe(expected);
  });

  test('a name without special characters matches itself alone', () => {
    const name = fc.string().filter((text) => !/[*?[\]{}\\,]/.test(text));
    fc.assert(
      fc.property(name, name, (glob, other) => {
        expect(matchesGlob(glob)(other)).toBe(glob === other);
      }),
    );
  });

  test('any text is a glob or a refusal', () => {
    fc.assert(
      fc.property(fc.string(), (glob) => {
        try {
          matchesGlob(glob)('a/b.png');
        } catch (error) {
          expect(error).toBeInstanceOf(StorageRequestError);
        }
      }),
    );
  });
});
