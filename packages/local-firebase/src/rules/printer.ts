/** Writes a syntax tree as source that parses to the same tree: how generated variants of a file are shown. */
import {
  type AllowStatement,
  type Expression,
  type FunctionDeclaration,
  type MatchBlock,
  type PatternSegment,
  precedences,
  type RulesFile,
} from './syntax.ts';

/** Binding strength of what is no binary operator; see `precedences`. */
const conditionalPrecedence = 0;
const unaryPrecedence = 8;
const postfixPrecedence = 9;

/** The file as text, two blanks an indent. */
export function printRules({ version, functions, service }: RulesFile): string {
  const lines = [
    `rules_version = '${version}';`,
    ...functions.flatMap((declaration) => printFunction(declaration)),
    `service ${service.name} {`,
    ...indented([
      ...service.functions.flatMap((declaration) => printFunction(declaration)),
      ...service.matches.flatMap(printMatch),
    ]),
    '}',
  ];
  return `${lines.join('\n')}\n`;
}

function indented(lines: readonly string[]): string[] {
  return lines.map((line) => `  ${line}`);
}

function printMatch({ pattern, functions, allows, matches }: MatchBlock): string[] {
  return [
    `match ${printPattern(pattern)} {`,
    ...indented([
      ...functions.flatMap((declaration) => printFunction(declaration)),
      ...allows.map(printAllow),
      ...matches.flatMap(printMatch),
    ]),
    '}',
  ];
}

/** `/a/{b}/{c=**}`. */
function printPattern(pattern: readonly PatternSegment[]): string {
  const texts = pattern.map((segment) => {
    if (segment.kind === 'text') return segment.text;
    return segment.kind === 'wildcard' ? `{${segment.name}}` : `{${segment.name}=**}`;
  });
  return `/${texts.join('/')}`;
}

function printAllow({ operations, condition }: AllowStatement): string {
  const text = operations.join(', ');
  return condition === undefined ? `allow ${text};` : `allow ${text}: if ${printExpression(condition)};`;
}

function printFunction({ name, parameters, bindings, result }: FunctionDeclaration): string[] {
  return [
    `function ${name}(${parameters.join(', ')}) {`,
    ...indented([
      ...bindings.map((binding) => `let ${binding.name} = ${printExpression(binding.value)};`),
      `return ${printExpression(result)};`,
    ]),
    '}',
  ];
}

/** One expression on one line, with the brackets it needs. */
export function printExpression(expression: Expression): string {
  return printed(expression, conditionalPrecedence);
}

function printed(expression: Expression, minPrecedence: number): string {
  const { text, precedence } = withPrecedence(expression);
  return precedence < minPrecedence ? `(${text})` : text;
}

function withPrecedence(expression: Expression): { text: string; precedence: number } {
  const list = (elements: readonly Expression[]) => elements.map(printExpression).join(', ');
  const postfix = (text: string) => ({ text, precedence: postfixPrecedence });
  const inner = (object: Expression) => printed(object, postfixPrecedence);
  switch (expression.kind) {
    case 'literal':
      return postfix(printLiteral(expression.value));
    case 'variable':
      return postfix(expression.name);
    case 'list':
      return postfix(`[${list(expression.elements)}]`);
    case 'map': {
      const entries = expression.entries.map(
        ({ key, value }) => `${printExpression(key)}: ${printExpression(value)}`,
      );
      return postfix(`{${entries.join(', ')}}`);
    }
    case 'path': {
      const parts = expression.parts.map((part) =>
        typeof part === 'string' ? part : `$(${printExpression(part)})`,
      );
      // In brackets: what follows a path, such as ".data", would read as more of it.
      return { text: `/${parts.join('/')}`, precedence: unaryPrecedence };
    }
    case 'member':
      return postfix(`${inner(expression.object)}.${expression.name}`);
    case 'index':
      return postfix(`${inner(expression.object)}[${printExpression(expression.index)}]`);
    case 'range':
      return postfix(
        `${inner(expression.object)}[${printExpression(expression.from)}:${printExpression(expression.to)}]`,
      );
    case 'call':
      return postfix(`${expression.name}(${list(expression.arguments)})`);
    case 'method':
      return postfix(`${inner(expression.object)}.${expression.name}(${list(expression.arguments)})`);
    case 'unary':
      return {
        text: `${expression.operator}${printed(expression.operand, unaryPrecedence)}`,
        precedence: unaryPrecedence,
      };
    case 'is':
      return {
        text: `${printed(expression.operand, precedences.is)} is ${expression.type}`,
        precedence: precedences.is,
      };
    case 'binary': {
      const precedence = precedences[expression.operator];
      const left = printed(expression.left, precedence);
      const right = printed(expression.right, precedence + 1);
      return { text: `${left} ${expression.operator} ${right}`, precedence };
    }
    case 'conditional': {
      const condition = printed(expression.condition, conditionalPrecedence + 1);
      const results = [expression.whenTrue, expression.whenFalse].map(printExpression);
      return { text: `${condition} ? ${results.join(' : ')}`, precedence: conditionalPrecedence };
    }
  }
}

function printLiteral(value: (Expression & { kind: 'literal' })['value']): string {
  if (value instanceof Uint8Array) return `b${printString(Buffer.from(value).toString('utf8'))}`;
  if (typeof value === 'string') return printString(value);
  // A float must keep looking like one.
  if (typeof value === 'number' && Number.isInteger(value) && Math.abs(value) < 1e21) return `${value}.0`;
  return String(value);
}

function printString(value: string): string {
  const escaped = value.replace(/['\\\n\r]/g, (character) => {
    if (character === '\n') return '\\n';
    return character === '\r' ? '\\r' : `\\${character}`;
  });
  return `'${escaped}'`;
}
