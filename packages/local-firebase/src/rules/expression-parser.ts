/** Parses conditions: literals, paths, calls and operators with the precedence that the official language documents. */
import {
  type BinaryOperator,
  type Expression,
  type PathPart,
  type Position,
  precedences,
  type TypeName,
  typeNames,
} from './syntax.ts';
import type { TokenCursor } from './token-cursor.ts';
import { describeToken } from './tokens.ts';

/** Deeper trees are refused, so that no walk over them runs out of stack. */
const maxHeight = 400;
const maxNesting = 100;

/** Text of one path segment: what document ids and bucket names in rules use, and `(default)`. */
export const pathSegmentText = /\([A-Za-z0-9_-]+\)|[A-Za-z0-9_.~%@-]+/y;

export type ExpressionParser = {
  /** Reads one expression where the cursor is. @throws SyntaxProblem */
  parse(): Expression;
};

export function createExpressionParser(cursor: TokenCursor): ExpressionParser {
  const heights = new WeakMap<Expression, number>();
  let nesting = 0;

  function made(expression: Expression, ...children: readonly Expression[]): Expression {
    const height = 1 + Math.max(0, ...children.map((child) => heights.get(child) ?? 0));
    if (height > maxHeight) cursor.fail(`This expression has more than ${maxHeight} levels.`);
    heights.set(expression, height);
    return expression;
  }

  function nested<T>(parse: () => T): T {
    if (nesting >= maxNesting) cursor.fail(`Expressions are nested more than ${maxNesting} deep.`);
    nesting++;
    try {
      return parse();
    } finally {
      nesting--;
    }
  }

  function parseExpression(): Expression {
    return nested(() => {
      const condition = parseBinary(1);
      if (!cursor.acceptSymbol('?')) return condition;
      const whenTrue = parseExpression();
      cursor.expectSymbol(':', 'between the two results of "?"');
      const whenFalse = parseExpression();
      const { position } = condition;
      return made(
        { kind: 'conditional', condition, whenTrue, whenFalse, position },
        condition,
        whenTrue,
        whenFalse,
      );
    });
  }

  function peekOperator(): BinaryOperator | 'is' | undefined {
    const token = cursor.peek();
    if (token.kind !== 'symbol' && token.kind !== 'name') return undefined;
    return Object.hasOwn(precedences, token.text) ? (token.text as BinaryOperator | 'is') : undefined;
  }

  function parseBinary(minPrecedence: number): Expression {
    let left = parseUnary();
    for (;;) {
      const operator = peekOperator();
      if (operator === undefined || precedences[operator] < minPrecedence) return left;
      cursor.take();
      const { position } = left;
      if (operator === 'is') {
        left = made({ kind: 'is', operand: left, type: parseType(), position }, left);
        continue;
      }
      const right = parseBinary(precedences[operator] + 1);
      left = made({ kind: 'binary', operator, left, right, position }, left, right);
    }
  }

  function parseType(): TypeName {
    const token = cursor.peek();
    const name = token.kind === 'name' ? token.text : '';
    const type = typeNames.find((known) => known === name);
    if (type === undefined) {
      cursor.fail(`Expected a type after "is" (${typeNames.join(', ')}), found ${describeToken(token)}.`);
    }
    cursor.take();
    return type;
  }

  function parseUnary(): Expression {
    const position = cursor.position();
    for (const operator of ['!', '-'] as const) {
      if (!cursor.acceptSymbol(operator)) continue;
      const operand = nested(parseUnary);
      return made({ kind: 'unary', operator, operand, position }, operand);
    }
    return parsePostfix(parsePrimary());
  }

  function parsePostfix(first: Expression): Expression {
    let object = first;
    const { position } = first;
    for (;;) {
      if (cursor.acceptSymbol('.')) {
        const token = cursor.peek();
        // Field names may be words that are reserved elsewhere.
        if (token.kind !== 'name') cursor.fail(`Expected a name after ".", found ${describeToken(token)}.`);
        cursor.take();
        const name = token.text;
        if (!cursor.acceptSymbol('(')) {
          object = made({ kind: 'member', object, name, position }, object);
          continue;
        }
        const parameters = parseList(')', 'after the arguments');
        object = made(
          { kind: 'method', object, name, arguments: parameters, position },
          object,
          ...parameters,
        );
      } else if (cursor.acceptSymbol('[')) {
        const index = parseExpression();
        if (cursor.acceptSymbol(':')) {
          const to = parseExpression();
          cursor.expectSymbol(']', 'after the range');
          object = made({ kind: 'range', object, from: index, to, position }, object, index, to);
          continue;
        }
        cursor.expectSymbol(']', 'after the index');
        object = made({ kind: 'index', object, index, position }, object, index);
      } else return object;
    }
  }

  /** Expressions separated by commas up to the closing symbol, which is taken. */
  function parseList(close: string, where: string): Expression[] {
    const elements: Expression[] = [];
    while (!cursor.acceptSymbol(close)) {
      elements.push(parseExpression());
      if (cursor.acceptSymbol(',')) continue;
      cursor.expectSymbol(close, where);
      break;
    }
    return elements;
  }

  function parsePrimary(): Expression {
    const position = cursor.position();
    const token = cursor.peek();
    switch (token.kind) {
      case 'string':
      case 'bytes':
      case 'int':
      case 'float':
        cursor.take();
        return made({ kind: 'literal', value: token.value, position });
      case 'name':
        return parseNamed(position, token.text);
      case 'symbol':
        return parseBracketed(position, token.text);
      case 'end':
        return cursor.fail('Expected an expression, found the end of the file.');
    }
  }

  function parseNamed(position: Position, word: string): Expression {
    const constants: Record<string, null | boolean> = { null: null, true: true, false: false };
    if (Object.hasOwn(constants, word)) {
      cursor.take();
      return made({ kind: 'literal', value: constants[word]!, position });
    }
    const name = cursor.expectName('an expression');
    if (!cursor.acceptSymbol('(')) return made({ kind: 'variable', name, position });
    const parameters = parseList(')', 'after the arguments');
    return made({ kind: 'call', name, arguments: parameters, position }, ...parameters);
  }

  function parseBracketed(position: Position, symbol: string): Expression {
    switch (symbol) {
      case '(': {
        cursor.take();
        const inner = parseExpression();
        cursor.expectSymbol(')', 'to close the bracket');
        return inner;
      }
      case '[': {
        cursor.take();
        const elements = parseList(']', 'after the elements of the list');
        return made({ kind: 'list', elements, position }, ...elements);
      }
      case '{':
        cursor.take();
        return parseMap(position);
      case '/':
        return parsePath(position);
      default:
        return cursor.fail(`Expected an expression, found "${symbol}".`);
    }
  }

  function parseMap(position: Position): Expression {
    const entries: { key: Expression; value: Expression }[] = [];
    while (!cursor.acceptSymbol('}')) {
      const key = parseExpression();
      cursor.expectSymbol(':', 'after the key');
      entries.push({ key, value: parseExpression() });
      if (cursor.acceptSymbol(',')) continue;
      cursor.expectSymbol('}', 'after the entries of the map');
      break;
    }
    return made({ kind: 'map', entries, position }, ...entries.flatMap(({ key, value }) => [key, value]));
  }

  function parsePath(position: Position): Expression {
    const parts: PathPart[] = [];
    cursor.take();
    do {
      const text = cursor.acceptRaw(pathSegmentText);
      if (text !== undefined) parts.push(text);
      else if (cursor.acceptRaw(/\$\(/y) !== undefined) {
        parts.push(parseExpression());
        cursor.expectSymbol(')', 'to close "$("');
      } else cursor.fail('Expected a path segment: text or $(expression).');
    } while (cursor.acceptRaw(/\//y) !== undefined);
    return made(
      { kind: 'path', parts, position },
      ...parts.filter((part): part is Expression => typeof part !== 'string'),
    );
  }

  return { parse: parseExpression };
}
