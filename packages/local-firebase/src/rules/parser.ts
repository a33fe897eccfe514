/** Parses a whole rules file: version, service, match blocks, allow statements and functions. */
import { createExpressionParser, pathSegmentText } from './expression-parser.ts';
import { maxProblems, type RulesProblem, SyntaxProblem } from './problem.ts';
import {
  type AllowStatement,
  type FunctionDeclaration,
  type MatchBlock,
  type Operation,
  operations,
  type PatternSegment,
  type RulesFile,
  type ServiceBlock,
  type ServiceName,
} from './syntax.ts';
import { createTokenCursor } from './token-cursor.ts';
import { describeToken } from './tokens.ts';

/** The cloud takes no larger source. */
const maxSourceBytes = 256 * 1024;
/** The cloud's limit on match blocks within match blocks. */
const maxMatchNesting = 10;

const serviceNames: readonly ServiceName[] = ['cloud.firestore', 'firebase.storage'];

/**
 * Reads a file. Never throws: whatever the text is, the answer is a tree or the reasons why there is none.
 *
 * @returns The tree where there are no problems.
 */
export function parseRules(
  source: string,
): { file: RulesFile; problems: [] } | { file: null; problems: RulesProblem[] } {
  if (Buffer.byteLength(source) > maxSourceBytes) {
    const message = `The file has more than ${maxSourceBytes} bytes.`;
    return { file: null, problems: [{ line: 1, column: 1, message }] };
  }
  const problems: RulesProblem[] = [];
  const file = parseFile(source, problems);
  return file === null || problems.length > 0 ? { file: null, problems } : { file, problems: [] };
}

/** Leaves the whole file, after too many problems. */
class GiveUp extends Error {}

function parseFile(source: string, problems: RulesProblem[]): RulesFile | null {
  const cursor = createTokenCursor(source);
  const expressions = createExpressionParser(cursor);

  /** Runs the parse of one statement; a problem in it is noted, and what is left of the statement skipped. */
  function recovering<T>(parse: () => T): T | undefined {
    const start = cursor.offset();
    try {
      return parse();
    } catch (error) {
      if (!(error instanceof SyntaxProblem)) throw error;
      const { line, column } = error.position;
      const last = problems.at(-1);
      // Every enclosing block misses its end at the same place: once is enough.
      if (last?.line !== line || last.column !== column) {
        problems.push({ line, column, message: error.message });
      }
      if (problems.length >= maxProblems) throw new GiveUp();
      skipStatement(start);
      return undefined;
    }
  }

  /** To behind the next ";" or balanced block, or to in front of the "}" that ends the enclosing one. */
  function skipStatement(start: number): void {
    cursor.rewind(start);
    let depth = 0;
    for (;;) {
      // The brackets of wildcards are no blocks.
      cursor.acceptRaw(/(?:\/\{[^;{}]*\}|[^;{}])*/y);
      if (cursor.acceptRaw(/;/y) !== undefined) {
        if (depth === 0) return;
      } else if (cursor.acceptRaw(/\{/y) !== undefined) depth++;
      else if (depth > 0 && cursor.acceptRaw(/\}/y) !== undefined) {
        depth--;
        if (depth === 0) return;
      } else return;
    }
  }

  function parseVersion(): '1' | '2' {
    if (!cursor.acceptWord('rules_version')) return '1';
    cursor.expectSymbol('=', 'after "rules_version"');
    const token = cursor.peek();
    const version = token.kind === 'string' ? token.value : undefined;
    if (version !== '1' && version !== '2') {
      return cursor.fail(`Expected the version '1' or '2', found ${describeToken(token)}.`);
    }
    cursor.take();
    cursor.acceptSymbol(';');
    return version;
  }

  function parseService(): ServiceBlock {
    const position = cursor.position();
    if (!cursor.acceptWord('service')) {
      cursor.fail(`Expected "service", found ${describeToken(cursor.peek())}.`);
    }
    const nameAt = cursor.position();
    const text = `${cursor.expectName('a service')}${cursor.acceptSymbol('.') ? `.${cursor.expectName('a service')}` : ''}`;
    const name = serviceNames.find((known) => known === text);
    if (name === undefined) {
      throw new SyntaxProblem(
        nameAt,
        `There is no service "${text}": expected ${serviceNames.join(' or ')}.`,
      );
    }
    const service: ServiceBlock = { position, name, functions: [], matches: [] };
    cursor.expectSymbol('{', 'after the name of the service');
    parseStatements(() => {
      if (cursor.isWord('match')) service.matches.push(parseMatch(1));
      else if (cursor.isWord('function')) service.functions.push(parseFunction());
      else cursor.fail(`Expected "match" or "function", found ${describeToken(cursor.peek())}.`);
    });
    return service;
  }

  /** Statements up to the closing bracket, which is taken. */
  function parseStatements(parseOne: () => void): void {
    for (;;) {
      const isOver = recovering(() => {
        if (cursor.acceptSymbol('}')) return true;
        if (cursor.peek().kind === 'end') cursor.fail('Expected "}", found the end of the file.');
        parseOne();
        return false;
      });
      // At the end of the file nothing is left to skip to.
      if (isOver === true || (isOver === undefined && atEnd())) return;
    }
  }

  function atEnd(): boolean {
    try {
      return cursor.peek().kind === 'end';
    } catch (error) {
      if (error instanceof SyntaxProblem) return false;
      throw error;
    }
  }

  function parseMatch(depth: number): MatchBlock {
    const position = cursor.position();
    cursor.take();
    if (depth > maxMatchNesting) {
      throw new SyntaxProblem(position, `Match blocks are nested more than ${maxMatchNesting} deep.`);
    }
    const block: MatchBlock = { position, pattern: parsePattern(), functions: [], allows: [], matches: [] };
    cursor.expectSymbol('{', 'after the path of "match"');
    parseStatements(() => {
      if (cursor.isWord('match')) block.matches.push(parseMatch(depth + 1));
      else if (cursor.isWord('function')) block.functions.push(parseFunction());
      else if (cursor.isWord('allow')) block.allows.push(parseAllow());
      else cursor.fail(`Expected "allow", "match" or "function", found ${describeToken(cursor.peek())}.`);
    });
    return block;
  }

  function parsePattern(): PatternSegment[] {
    const segments: PatternSegment[] = [];
    if (!cursor.isSymbol('/')) {
      cursor.fail(`Expected a path that begins with "/", found ${describeToken(cursor.peek())}.`);
    }
    cursor.take();
    do {
      const text = cursor.acceptRaw(pathSegmentText);
      if (text !== undefined) segments.push({ kind: 'text', text });
      else if (cursor.acceptRaw(/\{/y) !== undefined) {
        const name = cursor.expectName('the name of a wildcard');
        if (!cursor.acceptSymbol('=')) segments.push({ kind: 'wildcard', name });
        else if (cursor.acceptSymbol('**')) segments.push({ kind: 'rest', name });
        else {
          cursor.expectSymbol('*', 'or "**" after "="');
          segments.push({ kind: 'wildcard', name });
        }
        cursor.expectSymbol('}', 'after the wildcard');
      } else cursor.fail('Expected a path segment: text, {name} or {name=**}.');
    } while (cursor.acceptRaw(/\//y) !== undefined);
    return segments;
  }

  function parseAllow(): AllowStatement {
    const position = cursor.position();
    cursor.take();
    const allowed: Operation[] = [];
    do {
      const token = cursor.peek();
      const word = token.kind === 'name' ? token.text : '';
      if (!Object.hasOwn(operations, word)) {
        cursor.fail(
          `Expected an operation (${Object.keys(operations).join(', ')}), found ${describeToken(token)}.`,
        );
      }
      cursor.take();
      allowed.push(word as Operation);
    } while (cursor.acceptSymbol(','));
    if (!cursor.acceptSymbol(':')) {
      endStatement('after "allow"');
      return { position, operations: allowed };
    }
    if (!cursor.acceptWord('if')) {
      cursor.fail(`Expected "if" after ":", found ${describeToken(cursor.peek())}.`);
    }
    const condition = expressions.parse();
    endStatement('after the condition');
    return { position, operations: allowed, condition };
  }

  /** The semicolon may go where the next statement or the end of the block shows that one is over. */
  function endStatement(where: string): void {
    const isOver = cursor.isSymbol('}') || ['allow', 'match', 'function'].some((word) => cursor.isWord(word));
    if (!cursor.acceptSymbol(';') && !isOver) cursor.expectSymbol(';', where);
  }

  function parseFunction(): FunctionDeclaration {
    const position = cursor.position();
    cursor.take();
    const name = cursor.expectName('the name of the function');
    cursor.expectSymbol('(', 'after the name of the function');
    const parameters: string[] = [];
    while (!cursor.acceptSymbol(')')) {
      parameters.push(cursor.expectName('the name of a parameter'));
      if (cursor.acceptSymbol(',')) continue;
      cursor.expectSymbol(')', 'after the parameters');
      break;
    }
    cursor.expectSymbol('{', 'before the body of the function');
    const bindings: FunctionDeclaration['bindings'] = [];
    while (cursor.isWord('let')) {
      const bindingAt = cursor.position();
      cursor.take();
      const bindingName = cursor.expectName('the name of a variable');
      cursor.expectSymbol('=', 'after the name of the variable');
      const value = expressions.parse();
      cursor.expectSymbol(';', 'after the value of the variable');
      bindings.push({ position: bindingAt, name: bindingName, value });
    }
    if (!cursor.acceptWord('return')) {
      cursor.fail(`Expected "let" or "return", found ${describeToken(cursor.peek())}.`);
    }
    const result = expressions.parse();
    endStatement('after the result of the function');
    cursor.expectSymbol('}', 'after "return", the last statement of a function');
    return { position, name, parameters, bindings, result };
  }

  try {
    const version = recovering(parseVersion) ?? '2';
    const functions: FunctionDeclaration[] = [];
    while (recovering(() => cursor.isWord('function'))) {
      const declared = recovering(parseFunction);
      if (declared !== undefined) functions.push(declared);
    }
    const service = recovering(parseService);
    if (service === undefined) return null;
    while (recovering(() => cursor.isWord('function'))) {
      const declared = recovering(parseFunction);
      if (declared !== undefined) functions.push(declared);
    }
    recovering(() => {
      const token = cursor.peek();
      if (token.kind === 'end') return;
      const isSecond = token.kind === 'name' && token.text === 'service';
      cursor.fail(
        isSecond ? 'A file has one service.' : `Expected the end of the file, found ${describeToken(token)}.`,
      );
    });
    return { version, functions, service };
  } catch (error) {
    if (error instanceof GiveUp) return null;
    throw error;
  }
}
