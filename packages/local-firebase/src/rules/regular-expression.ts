/** Regular expressions as rules write them (RE2 syntax), translated to JavaScript's; what RE2 has not is refused. */
import { EvaluationError } from './values.ts';

/** RE2 refuses to repeat more often. */
const maxRepetition = 1000;

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
const spaceClass = '\\t\\n\\f\\r ';
/** All but those, since a negated class cannot stand inside another. */
const nonSpaceRanges = '\\u{0}-\\u{8}\\u{b}\\u{e}-\\u{1f}\\u{21}-\\u{10ffff}';

const controlEscapes: Record<string, number> = { a: 7, f: 12, t: 9, n: 10, r: 13, v: 11 };

const cache = new Map<string, { source: string; flags: string }>();
const maxCached = 500;

/**
 * @param isWhole Whether the match must take the whole text, as `matches()` wants it.
 * @throws EvaluationError when the pattern is not valid RE2, or uses flags inside a group, which are not supported here.
 */
export function regularExpression(pattern: string, isWhole: boolean): RegExp {
  let translated = cache.get(pattern);
  if (translated === undefined) {
    translated = translate(pattern);
    if (cache.size >= maxCached) cache.clear();
    cache.set(pattern, translated);
  }
  const { source, flags } = translated;
  try {
    return isWhole ? new RegExp(`^(?:${source})$`, flags.replace('m', '')) : new RegExp(source, `${flags}g`);
  } catch (cause) {
    throw invalidPattern(pattern, (cause as Error).message);
  }
}

function invalidPattern(pattern: string, reason: string): EvaluationError {
  return new EvaluationError(`The regular expression ${JSON.stringify(pattern)} is not valid: ${reason}.`);
}

function codePoint(code: number): string {
  return `\\u{${code.toString(16)}}`;
}

function literal(character: string): string {
  return /[0-9A-Za-z_]/.test(character) ? character : codePoint(character.codePointAt(0)!);
}

function translate(pattern: string): { source: string; flags: string } {
  const fail = (reason: string): never => {
    throw invalidPattern(pattern, reason);
  };
  const leading = /^\(\?([ims]+)\)/.exec(pattern);
  const flags = [...new Set(`u${leading?.[1] ?? ''}`)].join('');
  let rest = pattern.slice(leading?.[0].length ?? 0);
  let source = '';
  /** Whether something stands before that a repetition may repeat. */
  let isRepeatable = false;

  function take(expression: RegExp): RegExpExecArray | null {
    const found = expression.exec(rest);
    if (found !== null) rest = rest.slice(found[0].length);
    return found;
  }

  /** An escape that stands for one character or a class; `isInClass` gives classes without their brackets. */
  function takeEscape(isInClass: boolean): string {
    const wrapped = (ranges: string) => (isInClass ? ranges : `[${ranges}]`);
    const code = take(/^\\x([0-9A-Fa-f]{2})/)?.[1] ?? take(/^\\x\{([0-9A-Fa-f]{1,8})\}/)?.[1];
    if (code !== undefined) {
      const number = Number.parseInt(code, 16);
      return number <= 0x10ffff ? codePoint(number) : fail(`\\x{${code}} is no code point`);
    }
    const octal = take(/^\\(0[0-7]{0,2}|[1-7][0-7]{2})/)?.[1];
    if (octal !== undefined) return codePoint(Number.parseInt(octal, 8));
    const property = take(/^\\([pP])(?:\{(\^?)([A-Za-z_]+)\}|([A-Z]))/);
    if (property !== null) return unicodeProperty(property);
    const escaped = take(/^\\([\s\S])/)?.[1];
    if (escaped === undefined) return fail('it ends with a backslash');
    if (escaped === 'd' || escaped === 'D' || escaped === 'w' || escaped === 'W') return `\\${escaped}`;
    if (escaped === 's') return wrapped(spaceClass);
    if (escaped === 'S') return wrapped(nonSpaceRanges);
    const control = controlEscapes[escaped];
    if (control !== undefined) return codePoint(control);
    if (/[0-9A-Za-z]/.test(escaped)) return fail(`\\${escaped} is no escape of RE2`);
    return literal(escaped);
  }

  function unicodeProperty([, letter, caret, name, short]: RegExpExecArray): string {
    const property = name ?? short ?? '';
    const isNegated = (letter === 'P') !== (caret === '^');
    const isCategory = property.length <= 2;
    return `\\${isNegated ? 'P' : 'p'}{${isCategory ? property : `Script=${property}`}}`;
  }

  function takeClass(): string {
    const negation = take(/^\[(\^?)/)![1]!;
    let ranges = '';
    for (let isFirst = true; ; isFirst = false) {
      if (rest === '') fail('a "[" has no "]"');
      if (!isFirst && take(/^\]/) !== null) {
        return `[${negation}${ranges}]`;
      }
      const posix = take(/^\[:(\^?)([a-z]+):\]/);
      if (posix !== null) {
        const members = posixClasses[posix[2]!];
        if (members === undefined || posix[1] === '^') fail(`[:${posix[1]}${posix[2]}:] is not supported`);
        ranges += members;
      } else if (rest.startsWith('\\')) ranges += takeEscape(true);
      else {
        const character = take(/^[\s\S]/u)![0];
        const isRange = character === '-' && ranges !== '' && rest !== '' && !rest.startsWith(']');
        ranges += isRange ? '-' : literal(character);
      }
    }
  }

  while (rest !== '') {
    const repetition = take(/^(?:[*+?]|\{(\d+)(?:,(\d*))?\})\??/);
    if (repetition !== null) {
      if (!isRepeatable) fail(`nothing stands before ${repetition[0]}`);
      const [text, from, to] = repetition;
      if (Math.max(Number(from ?? 0), Number(to ?? 0)) > maxRepetition) fail(`${text} repeats too often`);
      source += text;
      isRepeatable = false;
      continue;
    }
    isRepeatable = true;
    const group = take(/^\((?:\?:|\?P?<([A-Za-z_][A-Za-z0-9_]*)>|(?!\?))/);
    if (group !== null) {
      source += group[1] === undefined ? group[0] : `(?<${group[1]}>`;
      isRepeatable = false;
    } else if (rest.startsWith('(?')) fail(`${rest.slice(0, 4)} is not supported`);
    else if (rest.startsWith('[')) source += takeClass();
    else if (take(/^\\A/) !== null) source += '(?<![^])';
    else if (take(/^\\z/) !== null) source += '(?![^])';
    else if (take(/^\\Q/) !== null) {
      const quoted = take(/^([\s\S]*?)(?:\\E|$)/)![1]!;
      source += [...quoted].map(literal).join('');
    } else if (rest.startsWith('\\b') || rest.startsWith('\\B')) source += take(/^\\[bB]/)![0];
    else if (rest.startsWith('\\')) source += takeEscape(false);
    else if (take(/^\./) !== null) source += flags.includes('s') ? '[^]' : '[^\\n]';
    else {
      const special = take(/^[|)^$]/)?.[0];
      if (special !== undefined) {
        source += special;
        isRepeatable = special === ')';
      } else source += literal(take(/^[\s\S]/u)![0]);
    }
  }
  return { source, flags };
}
