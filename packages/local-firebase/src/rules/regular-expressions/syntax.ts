/** Parses regular expressions in RE2's syntax, which rules use; what RE2 has not, such as look-around, is refused. */
import { characterClass, takeEscape } from './characters.ts';
import { createPatternText, type PatternText } from './pattern-text.ts';

/** A piece of a pattern. `holds` looks between two characters, undefined beyond the ends. */
export type PatternNode =
  | { kind: 'character'; matches: (character: string) => boolean }
  | { kind: 'assertion'; holds: (before: string | undefined, after: string | undefined) => boolean }
  | { kind: 'sequence'; parts: PatternNode[] }
  | { kind: 'choice'; options: PatternNode[] }
  | { kind: 'repetition'; part: PatternNode; min: number; max: number; isGreedy: boolean };

/** RE2 refuses to repeat more often. */
const maxRepetition = 1000;
const maxNesting = 100;

type Flags = { ignoreCase: boolean; multiline: boolean; dotAll: boolean; ungreedy: boolean };

/** @throws EvaluationError when the pattern is not valid. */
export function parsePattern(pattern: string): PatternNode {
  const text = createPatternText(pattern);
  const flags = { ignoreCase: false, multiline: false, dotAll: false, ungreedy: false };
  const node = parseChoice(text, flags, 0);
  if (!text.isAtEnd()) text.fail('a ")" has no "("');
  return node;
}

/** Flags set inside hold to the end of the group. */
function parseChoice(text: PatternText, outerFlags: Flags, depth: number): PatternNode {
  if (depth > maxNesting) text.fail(`groups are nested more than ${maxNesting} deep`);
  const flags = { ...outerFlags };
  const options: PatternNode[] = [];
  do options.push(parseSequence(text, flags, depth));
  while (text.take(/\|/y) !== null);
  return options.length === 1 ? options[0]! : { kind: 'choice', options };
}

function parseSequence(text: PatternText, flags: Flags, depth: number): PatternNode {
  const parts: PatternNode[] = [];
  while (!text.isAtEnd() && !text.isNext('|') && !text.isNext(')')) {
    if (takeFlags(text, flags)) continue;
    parts.push(parseRepetition(text, parseOne(text, flags, depth), flags));
  }
  return parts.length === 1 ? parts[0]! : { kind: 'sequence', parts };
}

/** `(?im-s)` for the rest of the group. */
function takeFlags(text: PatternText, flags: Flags): boolean {
  const found = text.take(/\(\?([imsU]*)(?:-([imsU]+))?\)/y);
  if (found === null) return false;
  setFlags(flags, found[1] ?? '', found[2] ?? '');
  return true;
}

function setFlags(flags: Flags, on: string, off: string): void {
  const names = { i: 'ignoreCase', m: 'multiline', s: 'dotAll', U: 'ungreedy' } as const;
  for (const [letter, name] of Object.entries(names)) {
    if (on.includes(letter)) flags[name] = true;
    if (off.includes(letter)) flags[name] = false;
  }
}

function parseRepetition(text: PatternText, part: PatternNode, flags: Flags): PatternNode {
  const found = text.take(/(?:([*+?])|\{(\d+)(?:(,)(\d*))?\})(\??)/y);
  if (found === null) return part;
  const [shown, symbol, from, comma, to, lazy] = found;
  const min = symbol === undefined ? Number(from) : symbol === '+' ? 1 : 0;
  const isOpen = symbol === '*' || symbol === '+' || (comma !== undefined && to === '');
  const max = isOpen ? Number.POSITIVE_INFINITY : symbol === '?' ? 1 : Number(to ?? from);
  if (min > maxRepetition || (max > maxRepetition && !isOpen) || min > max)
    text.fail(`${shown} repeats too often, or from more to less`);
  if (text.matches(/[*+?]|\{\d+(?:,\d*)?\}/y)) text.fail(`${shown} is repeated again`);
  return { kind: 'repetition', part, min, max, isGreedy: (lazy === '') !== flags.ungreedy };
}

function parseOne(text: PatternText, flags: Flags, depth: number): PatternNode {
  const group = text.take(/\((?:\?([imsU]*)(?:-([imsU]+))?:|\?P?<[A-Za-z_]\w*>|(?!\?))/y);
  if (group !== null) {
    const inner = { ...flags };
    setFlags(inner, group[1] ?? '', group[2] ?? '');
    const node = parseChoice(text, inner, depth + 1);
    if (text.take(/\)/y) === null) text.fail('a "(" has no ")"');
    return node;
  }
  if (text.isNext('(')) text.fail('a group of this kind is not supported by RE2');
  if (text.matches(/[*+?]/y)) text.fail('nothing stands before a repetition');
  const assertion = parseAssertion(text, flags);
  if (assertion !== null) return assertion;
  const quoted = text.take(/\\Q([\s\S]*?)(?:\\E|$)/y);
  if (quoted !== null) {
    return { kind: 'sequence', parts: [...quoted[1]!].map((character) => literalNode(character, flags)) };
  }
  if (text.take(/\./y) !== null) {
    const { dotAll } = flags;
    return { kind: 'character', matches: (character) => dotAll || character !== '\n' };
  }
  if (text.isNext('[') || text.isNext('\\')) {
    const matches = text.isNext('[') ? characterClass(text, flags) : takeEscape(text, flags);
    return { kind: 'character', matches };
  }
  return literalNode(text.take(/[\s\S]/uy)![0], flags);
}

function literalNode(literal: string, { ignoreCase }: Flags): PatternNode {
  if (!ignoreCase) return { kind: 'character', matches: (character) => character === literal };
  const folded = new RegExp(`^\\u{${literal.codePointAt(0)!.toString(16)}}$`, 'iu');
  return { kind: 'character', matches: (character) => folded.test(character) };
}

const isWord = (character: string | undefined) => character !== undefined && /^\w$/.test(character);

function parseAssertion(text: PatternText, { multiline }: Flags): PatternNode | null {
  const found = text.take(/\^|\$|\\[AzbB]/y)?.[0];
  switch (found) {
    case '^':
      return { kind: 'assertion', holds: (before) => before === undefined || (multiline && before === '\n') };
    case '$':
      return { kind: 'assertion', holds: (_, after) => after === undefined || (multiline && after === '\n') };
    case '\\A':
      return { kind: 'assertion', holds: (before) => before === undefined };
    case '\\z':
      return { kind: 'assertion', holds: (_, after) => after === undefined };
    case '\\b':
      return { kind: 'assertion', holds: (before, after) => isWord(before) !== isWord(after) };
    case '\\B':
      return { kind: 'assertion', holds: (before, after) => isWord(before) === isWord(after) };
    default:
      return null;
  }
}
