/** Random syntax trees for property tests: of every kind of expression, with the names that rules know. */
import fc from 'fast-check';
import { type BinaryOperator, type Expression, precedences, typeNames } from '../src/rules/syntax.ts';

const position = { line: 1, column: 1 };

const names = fc.constantFrom('request', 'resource', 'database', 'document', 'math', 'duration');
const members = fc.constantFrom('auth', 'uid', 'data', 'time', 'a', 'if', 'in', 'is', 'null', 'match');
const calls = fc.constantFrom(
  ...['get', 'exists', 'getAfter', 'debug', 'int', 'float', 'string', 'bool', 'path', 'nothing'],
);
const methods = fc.constantFrom(
  ...[
    'size',
    'matches',
    'split',
    'replace',
    'hasAny',
    'hasOnly',
    'concat',
    'join',
    'toSet',
    'keys',
    'get',
    'diff',
  ],
  ...[
    'affectedKeys',
    'union',
    'date',
    'seconds',
    'pow',
    'abs',
    'value',
    'toMillis',
    'distance',
    'bind',
    'nothing',
  ],
);
const texts = fc.oneof(
  fc.string({ unit: 'grapheme', maxLength: 8 }),
  fc.constantFrom('(a*)b', '[a-z]+', '\\d{2,3}', '(', 'x', 'true', '12', 'd', 'a/b'),
);

const leaves: fc.Arbitrary<Expression> = fc.oneof(
  fc
    .oneof(
      fc.constantFrom(null, true, false),
      fc.bigInt({ min: 0n, max: 2n ** 63n - 1n }),
      fc.integer({ min: 0, max: 20 }).map(BigInt),
      fc.double({ min: 0, noNaN: true, noDefaultInfinity: true }).filter((value) => !Object.is(value, -0)),
      texts,
      texts.map((text) => Buffer.from(text)),
    )
    .map((value): Expression => ({ kind: 'literal', value, position })),
  names.map((name): Expression => ({ kind: 'variable', name, position })),
);

/** Any tree that the parser can make; most of them have no value. */
export const arbitraryExpression: fc.Arbitrary<Expression> = fc.letrec<{ tree: Expression }>((tie) => {
  const tree = tie('tree');
  const some = fc.array(tree, { maxLength: 3 });
  const operators = fc.constantFrom(
    ...(Object.keys(precedences).filter((operator) => operator !== 'is') as BinaryOperator[]),
  );
  const inner: fc.Arbitrary<Expression> = fc
    .oneof(
      fc.record({ kind: fc.constant('list' as const), elements: some }),
      fc.record({
        kind: fc.constant('map' as const),
        entries: fc.array(fc.record({ key: tree, value: tree }), { maxLength: 2 }),
      }),
      fc.record({
        kind: fc.constant('path' as const),
        parts: fc.array(fc.oneof(fc.constantFrom('a', '(default)', 'b-c.d'), tree), {
          minLength: 1,
          maxLength: 3,
        }),
      }),
      fc.record({ kind: fc.constant('member' as const), object: tree, name: members }),
      fc.record({ kind: fc.constant('index' as const), object: tree, index: tree }),
      fc.record({ kind: fc.constant('range' as const), object: tree, from: tree, to: tree }),
      fc.record({ kind: fc.constant('call' as const), name: calls, arguments: some }),
      fc.record({ kind: fc.constant('method' as const), object: tree, name: methods, arguments: some }),
      fc.record({
        kind: fc.constant('unary' as const),
        operator: fc.constantFrom('!' as const, '-'),
        operand: tree,
      }),
      fc.record({ kind: fc.constant('binary' as const), operator: operators, left: tree, right: tree }),
      fc.record({ kind: fc.constant('is' as const), operand: tree, type: fc.constantFrom(...typeNames) }),
      fc.record({
        kind: fc.constant('conditional' as const),
        condition: tree,
        whenTrue: tree,
        whenFalse: tree,
      }),
    )
    .map((expression) => ({ ...expression, position }));
  return { tree: fc.oneof({ maxDepth: 5, depthIdentifier: 'rules' }, leaves, inner) };
}).tree;

/** The tree as plain data without its places, to compare two. */
export function withoutPositions(tree: unknown): unknown {
  return JSON.parse(
    JSON.stringify(tree, (key, value: unknown) => {
      if (key === 'position') return undefined;
      return typeof value === 'bigint' ? `int ${value}` : value;
    }),
  );
}
