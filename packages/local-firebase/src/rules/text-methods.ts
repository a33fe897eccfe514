/** The methods of strings and bytes. */
import { ensureLength, size, textOf } from './method.ts';
import { type PatternMatch, regularExpression } from './regular-expressions/regular-expression.ts';
import type { RulesValue } from './values.ts';

export const stringMethods = {
  size: { arity: 0, call: (self: string) => size([...self].length) },
  lower: { arity: 0, call: (self: string) => self.toLowerCase() },
  upper: { arity: 0, call: (self: string) => self.toUpperCase() },
  trim: { arity: 0, call: (self: string) => self.trim() },
  toUtf8: { arity: 0, call: (self: string) => Buffer.from(self, 'utf8') },
  matches: {
    arity: 1,
    call: (self: string, [pattern]: readonly RulesValue[]) =>
      regularExpression(textOf(pattern!)).matchesAll([...self]),
  },
  replace: {
    arity: 2,
    call(self: string, [pattern, substitute]: readonly RulesValue[]) {
      const text = textOf(substitute!);
      ensureLength((self.length + 1) * text.length);
      const characters = [...self];
      return partsBetween(characters, matchesOf(characters, textOf(pattern!))).join(text);
    },
  },
  split: {
    arity: 1,
    call(self: string, [pattern]: readonly RulesValue[]) {
      const characters = [...self];
      const matches = matchesOf(characters, textOf(pattern!));
      // Before the first character and behind the last one there is nothing to part.
      const isBetween = ({ start, end }: PatternMatch) =>
        start < end || (start > 0 && end < characters.length);
      return partsBetween(characters, matches.filter(isBetween));
    },
  },
};

/** The matches of a pattern from left to right; an empty one right behind another is none. */
function matchesOf(characters: readonly string[], pattern: string): PatternMatch[] {
  const expression = regularExpression(pattern);
  const matches: PatternMatch[] = [];
  for (let from = 0; from <= characters.length; ) {
    const match = expression.find(characters, from);
    if (match === null) break;
    const isEmpty = match.start === match.end;
    if (!isEmpty || match.start !== matches.at(-1)?.end) matches.push(match);
    from = isEmpty ? match.end + 1 : match.end;
  }
  return matches;
}

/** What lies before, between and behind the matches. */
function partsBetween(characters: readonly string[], matches: readonly PatternMatch[]): string[] {
  const starts = [0, ...matches.map(({ end }) => end)];
  const ends = [...matches.map(({ start }) => start), characters.length];
  return starts.map((start, index) => characters.slice(start, ends[index]).join(''));
}

export const bytesMethods = {
  size: { arity: 0, call: (self: Uint8Array) => size(self.length) },
  toBase64: { arity: 0, call: (self: Uint8Array) => Buffer.from(self).toString('base64') },
  toHexString: { arity: 0, call: (self: Uint8Array) => Buffer.from(self).toString('hex') },
};
