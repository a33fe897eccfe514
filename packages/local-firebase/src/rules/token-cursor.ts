/** The parser's place in the source: one token of look-ahead, expectations, and raw reading for paths. */
import { SyntaxProblem } from './problem.ts';
import type { Position } from './syntax.ts';
import { createTokenReader, describeToken, type Token } from './tokens.ts';

export type TokenCursor = {
  /** The token not yet taken. @throws SyntaxProblem when the source has none there. */
  peek(): Token;
  take(): Token;
  position(): Position;
  isSymbol(text: string): boolean;
  isWord(text: string): boolean;
  /** Takes the symbol if it is next. */
  acceptSymbol(text: string): boolean;
  acceptWord(text: string): boolean;
  /** @param where Completes "expected … ". @throws SyntaxProblem when something else is next. */
  expectSymbol(text: string, where: string): void;
  /** A name that is no reserved word. @throws SyntaxProblem */
  expectName(what: string): string;
  /** Takes what the sticky pattern matches exactly where the next character is, without skipping blanks. */
  acceptRaw(pattern: RegExp): string | undefined;
  /** Where the next token is looked for. */
  offset(): number;
  /** Goes back to an earlier offset. */
  rewind(offset: number): void;
  fail(message: string): never;
};

/** Words that cannot name anything. */
const reservedWords = new Set([
  'allow',
  'as',
  'false',
  'function',
  'if',
  'in',
  'is',
  'let',
  'match',
  'null',
  'return',
  'service',
  'true',
]);

export function createTokenCursor(source: string): TokenCursor {
  const reader = createTokenReader(source);
  let offset = 0;
  let ahead: Token | undefined;

  function peek(): Token {
    ahead ??= reader.read(offset);
    return ahead;
  }
  function take(): Token {
    const token = peek();
    offset = token.end;
    ahead = undefined;
    return token;
  }
  const position = () => reader.positionOf(peek().start);
  function fail(message: string): never {
    throw new SyntaxProblem(position(), message);
  }
  const isSymbol = (text: string) => {
    const token = peek();
    return token.kind === 'symbol' && token.text === text;
  };
  const isWord = (text: string) => {
    const token = peek();
    return token.kind === 'name' && token.text === text;
  };

  return {
    peek,
    take,
    position,
    isSymbol,
    isWord,
    acceptSymbol(text) {
      if (!isSymbol(text)) return false;
      take();
      return true;
    },
    acceptWord(text) {
      if (!isWord(text)) return false;
      take();
      return true;
    },
    expectSymbol(text, where) {
      if (!isSymbol(text)) fail(`Expected "${text}" ${where}, found ${describeToken(peek())}.`);
      take();
    },
    expectName(what) {
      const token = peek();
      if (token.kind !== 'name') fail(`Expected ${what}, found ${describeToken(token)}.`);
      if (reservedWords.has(token.text)) fail(`Expected ${what}, but "${token.text}" is a reserved word.`);
      take();
      return token.text;
    },
    acceptRaw(pattern) {
      pattern.lastIndex = offset;
      const text = pattern.exec(source)?.[0];
      if (text === undefined) return undefined;
      offset += text.length;
      ahead = undefined;
      return text;
    },
    offset: () => offset,
    rewind(earlier) {
      offset = earlier;
      ahead = undefined;
    },
    fail,
  };
}
