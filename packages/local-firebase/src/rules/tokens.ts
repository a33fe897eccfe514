/** Cuts the source of a rules file into tokens, one at a time, since `/` starts a path or divides as the parser knows. */
import { SyntaxProblem } from './problem.ts';
import type { Position } from './syntax.ts';

export type Token = { start: number; end: number } & (
  | { kind: 'name'; text: string }
  | { kind: 'string'; value: string }
  | { kind: 'bytes'; value: Uint8Array }
  | { kind: 'int'; value: bigint }
  | { kind: 'float'; value: number }
  | { kind: 'symbol'; text: string }
  | { kind: 'end' }
);

/** Reads tokens from given offsets of one source. */
export type TokenReader = {
  /** The token at or after an offset, past blanks and comments. @throws SyntaxProblem */
  read(offset: number): Token;
  positionOf(offset: number): Position;
};

const blanks = /(?:\s+|\/\/[^\n]*|\/\*[\s\S]*?\*\/)*/y;
const name = /[A-Za-z_][A-Za-z0-9_]*/y;
const number = /0[xX][0-9a-fA-F]+|\d+(\.\d+)?([eE][+-]?\d+)?/y;
const symbol = /&&|\|\||==|!=|<=|>=|\*\*|[-+*/%<>=!?:;,.()[\]{}$]/y;

const simpleEscapes: Record<string, string> = {
  n: '\n',
  t: '\t',
  r: '\r',
  b: '\b',
  f: '\f',
  v: '\v',
  a: '\x07',
  '\\': '\\',
  "'": "'",
  '"': '"',
  '`': '`',
  '?': '?',
};

const maxInteger = (1n << 63n) - 1n;

export function createTokenReader(source: string): TokenReader {
  const lineStarts = [0];
  for (let index = source.indexOf('\n'); index >= 0; index = source.indexOf('\n', index + 1)) {
    lineStarts.push(index + 1);
  }

  function positionOf(offset: number): Position {
    let low = 0;
    let high = lineStarts.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (lineStarts[middle]! <= offset) low = middle;
      else high = middle - 1;
    }
    return { line: low + 1, column: offset - lineStarts[low]! + 1 };
  }

  function matchAt(pattern: RegExp, offset: number): string | undefined {
    pattern.lastIndex = offset;
    return pattern.exec(source)?.[0];
  }

  function fail(offset: number, message: string): never {
    throw new SyntaxProblem(positionOf(offset), message);
  }

  function readNumber(start: number, text: string): Token {
    const end = start + text.length;
    if (matchAt(name, end) !== undefined) fail(start, `"${text}" runs into a name.`);
    if (/^(?:\d+|0[xX].*)$/.test(text)) {
      // Longer ones cannot fit; counting their digits is quicker than converting them.
      const value = text.length > 32 ? maxInteger + 1n : BigInt(text);
      if (value > maxInteger) fail(start, `The integer ${text} does not fit into 64 bits.`);
      return { kind: 'int', value, start, end };
    }
    const value = Number(text);
    if (!Number.isFinite(value)) fail(start, `The number ${text} is too large.`);
    return { kind: 'float', value, start, end };
  }

  /** @param quoteAt Where the quote is. */
  function readString(quoteAt: number): { value: string; end: number } {
    const quote = source[quoteAt]!;
    let value = '';
    let index = quoteAt + 1;
    for (;;) {
      const character = source[index];
      if (character === undefined || character === '\n') fail(quoteAt, 'This string has no end on its line.');
      if (character === quote) return { value, end: index + 1 };
      if (character !== '\\') {
        value += character;
        index++;
        continue;
      }
      const letter = source[index + 1] ?? '';
      const simple = simpleEscapes[letter];
      if (simple !== undefined) {
        value += simple;
        index += 2;
        continue;
      }
      const digits = { x: 2, u: 4, U: 8 }[letter] ?? 0;
      const code = source.slice(index + 2, index + 2 + digits);
      if (digits === 0 || !/^[0-9a-fA-F]+$/.test(code) || code.length !== digits) {
        fail(index, `"\\${letter}" is no escape; write "\\\\" for a backslash.`);
      }
      const codePoint = Number.parseInt(code, 16);
      if (codePoint > 0x10ffff) fail(index, `"\\U${code}" is no Unicode code point.`);
      value += String.fromCodePoint(codePoint);
      index += 2 + digits;
    }
  }

  return {
    positionOf,
    read(offset) {
      const start = offset + (matchAt(blanks, offset)?.length ?? 0);
      if (start >= source.length) return { kind: 'end', start: source.length, end: source.length };
      const character = source[start]!;
      if (source.startsWith('/*', start)) fail(start, 'This comment has no end.');
      if (character === '"' || character === "'") {
        return { kind: 'string', start, ...readString(start) };
      }
      if (character === 'b' && (source[start + 1] === '"' || source[start + 1] === "'")) {
        const { value, end } = readString(start + 1);
        return { kind: 'bytes', value: Buffer.from(value, 'utf8'), start, end };
      }
      const digits = matchAt(number, start);
      if (digits !== undefined) return readNumber(start, digits);
      const word = matchAt(name, start);
      if (word !== undefined) return { kind: 'name', text: word, start, end: start + word.length };
      const text = matchAt(symbol, start);
      if (text !== undefined) return { kind: 'symbol', text, start, end: start + text.length };
      return fail(start, `Unexpected character ${JSON.stringify(character)}.`);
    },
  };
}

/** How a token reads in a sentence. */
export function describeToken(token: Token): string {
  switch (token.kind) {
    case 'end':
      return 'the end of the file';
    case 'name':
    case 'symbol':
      return `"${token.text}"`;
    case 'string':
      return `the string ${JSON.stringify(token.value)}`;
    case 'bytes':
      return 'bytes';
    default:
      return String(token.value);
  }
}
