/** The parts of a regular expression that match one character: escapes and classes, as RE2 defines them. */
import type { PatternText } from './pattern-text.ts';

type CharacterTest = (character: string) => boolean;
type CaseFlag = { ignoreCase: boolean };

const posixClasses: Record<string, string> = {
  alnum: '0-9A-Za-z',
  alpha: 'A-Za-z',
  ascii: '\\u{0}-\\u{7f}',
  blank: '\\t ',
  cntrl: '\\u{0}-\\u{1f}\\u{7f}',
  digit: '0-9',
  graph: '\\u{21}-\\u{7e}',
  lower: 'a-z',
  print: '\\u{20}-\\u{7e}',
  punct: '\\u{21}-\\u{2f}\\u{3a}-\\u{40}\\u{5b}-\\u{60}\\u{7b}-\\u{7e}',
  space: '\\t\\n\\v\\f\\r ',
  upper: 'A-Z',
  word: '0-9A-Za-z_',
  xdigit: '0-9A-Fa-f',
};

/** RE2's blanks are fewer than JavaScript's. */
const spaceRanges = '\\t\\n\\f\\r ';
/** All but those, since a negated class cannot stand inside of another. */
const nonSpaceRanges = '\\u{0}-\\u{8}\\u{b}\\u{e}-\\u{1f}\\u{21}-\\u{10ffff}';

const controlEscapes: Record<string, number> = { a: 7, f: 12, t: 9, n: 10, r: 13, v: 11 };

/** An escape outside of a class. @throws EvaluationError when RE2 has no such escape. */
export function takeEscape(text: PatternText, flags: CaseFlag): CharacterTest {
  return testOf(text, `[${escapeRanges(text)}]`, flags);
}

/** `[…]`. @throws EvaluationError */
export function characterClass(text: PatternText, flags: CaseFlag): CharacterTest {
  const negation = text.take(/\[(\^?)/y)![1]!;
  let ranges = '';
  for (let isFirst = true; isFirst || text.take(/\]/y) === null; isFirst = false) {
    if (text.isAtEnd()) text.fail('a "[" has no "]"');
    ranges += posixRanges(text) ?? range(text);
  }
  return testOf(text, `[${negation}${ranges}]`, flags);
}

/** `[:alpha:]` and `[:^alpha:]`, if one is next. */
function posixRanges(text: PatternText): string | undefined {
  const found = text.take(/\[:(\^?)([a-z]+):\]/y);
  if (found === null) return undefined;
  const members = posixClasses[found[2]!];
  if (members === undefined) return text.fail(`${found[0]} is no class`);
  if (found[1] === '') return members;
  return complementOf(members);
}

/** The ASCII characters that a class has not, and all beyond ASCII. */
function complementOf(members: string): string {
  const isMember = new RegExp(`[${members}]`, 'u');
  const others = Array.from({ length: 128 }, (_, code) => code).filter(
    (code) => !isMember.test(String.fromCharCode(code)),
  );
  return `${others.map(codePoint).join('')}\\u{80}-\\u{10ffff}`;
}

/** One character, or a range of them. */
function range(text: PatternText): string {
  const first = member(text);
  if (!text.matches(/-[^\]]/uy)) return first;
  text.take(/-/y);
  return `${first}-${member(text)}`;
}

function member(text: PatternText): string {
  if (text.isNext('\\')) return escapeRanges(text);
  return codePoint(text.take(/[\s\S]/uy)![0].codePointAt(0)!);
}

/** An escape, as ranges of a JavaScript class. */
function escapeRanges(text: PatternText): string {
  const hexadecimal = text.take(/\\x(?:([0-9A-Fa-f]{2})|\{([0-9A-Fa-f]{1,8})\})/y);
  if (hexadecimal !== null) {
    const code = Number.parseInt(hexadecimal[1] ?? hexadecimal[2] ?? '', 16);
    return code <= 0x10ffff ? codePoint(code) : text.fail(`${hexadecimal[0]} is no code point`);
  }
  const octal = text.take(/\\(0[0-7]{0,2}|[1-7][0-7]{2})/y)?.[1];
  if (octal !== undefined) return codePoint(Number.parseInt(octal, 8));
  const property = text.take(/\\([pP])(?:\{(\^?)([A-Za-z_]+)\}|([A-Z]))/y);
  if (property !== null) return unicodeProperty(text, property);
  const escaped = text.take(/\\([\s\S])/uy)?.[1];
  if (escaped === undefined) return text.fail('it ends with a backslash');
  if (/^[dDwW]$/.test(escaped)) return `\\${escaped}`;
  if (escaped === 's') return spaceRanges;
  if (escaped === 'S') return nonSpaceRanges;
  const control = controlEscapes[escaped];
  if (control !== undefined) return codePoint(control);
  if (/^[0-9A-Za-z]$/.test(escaped)) return text.fail(`\\${escaped} is no escape of RE2`);
  return codePoint(escaped.codePointAt(0)!);
}

function unicodeProperty(text: PatternText, [shown, letter, caret, name, short]: RegExpExecArray): string {
  const property = name ?? short ?? '';
  const isNegated = (letter === 'P') !== (caret === '^');
  const ranges = `\\${isNegated ? 'P' : 'p'}{${property.length <= 2 ? property : `Script=${property}`}}`;
  try {
    new RegExp(`[${ranges}]`, 'u');
    return ranges;
  } catch {
    return text.fail(`${shown} is no property of characters`);
  }
}

function codePoint(code: number): string {
  return `\\u{${code.toString(16)}}`;
}

function testOf(text: PatternText, ranges: string, { ignoreCase }: CaseFlag): CharacterTest {
  try {
    const expression = new RegExp(`^${ranges}$`, ignoreCase ? 'iu' : 'u');
    return (character) => expression.test(character);
  } catch {
    return text.fail('a class has a range that ends before it begins');
  }
}
