import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { arbitraryExpression, withoutPositions } from '../../test/rules-expression-arbitrary.ts';
import { checkRules } from './checker.ts';
import { parseRules } from './parser.ts';
import { printExpression, printRules } from './printer.ts';
import type { Expression, RulesFile } from './syntax.ts';

function fileWith(condition: string): string {
  return `rules_version = '2';
service cloud.firestore {
  match /databases/{database}/documents/{document=**} {
    allow read: if ${condition};
  }
}`;
}

function problemsOf(source: string): string[] {
  const { file, problems } = parseRules(source);
  const found = file === null ? problems : checkRules(file);
  return found.map(({ line, column, message }) => `${line}:${column} ${message}`);
}

function conditionOf(source: string): Expression {
  const { file, problems } = parseRules(fileWith(source));
  if (file === null) throw new Error(problems[0]?.message);
  return file.service.matches[0]!.allows[0]!.condition!;
}

/** With a bracket around every operator. */
function bracketed(source: string): string {
  const show = (expression: Expression): string => {
    switch (expression.kind) {
      case 'binary':
        return `(${show(expression.left)} ${expression.operator} ${show(expression.right)})`;
      case 'is':
        return `(${show(expression.operand)} is ${expression.type})`;
      case 'unary':
        return `(${expression.operator}${show(expression.operand)})`;
      case 'conditional':
        return `(${[expression.condition, expression.whenTrue, expression.whenFalse].map(show).join(' ')})`;
      default:
        return printExpression(expression);
    }
  };
  return show(conditionOf(source));
}

describe('the parser of rules', () => {
  test.each([
    ['1 + 2 * 3 - 4', '((1 + (2 * 3)) - 4)'],
    ['1 < 2 == true', '((1 < 2) == true)'],
    ['1 in [1] == true', '((1 in [1]) == true)'],
    ['1 + 1 in [2]', '((1 + 1) in [2])'],
    ['1 is int && 2 is int || false', '(((1 is int) && (2 is int)) || false)'],
    ['true || false && false', '(true || (false && false))'],
    ['!true == false', '((!true) == false)'],
    ['-1 + 2', '((-1) + 2)'],
    ['!resource.data.a', '(!resource.data.a)'],
    ['1 - 2 - 3', '((1 - 2) - 3)'],
    ['12 / 2 / 3', '((12 / 2) / 3)'],
    ['true ? 1 : false ? 2 : 3', '(true 1 (false 2 3))'],
    ['(1 + 2) * 3', '((1 + 2) * 3)'],
  ])('reads %s as %s', (source, expected) => {
    expect(bracketed(source)).toBe(expected);
  });

  test('reads paths, ranges, maps, methods and comments', () => {
    const source = `get(/databases/$(database)/documents/users/$(request.auth.uid)).data['a'][0:2] /* why */ == {
      'b': [1, 2.5, b'x'],  // and so on
    }.get('b', null) && exists(/databases/(default)/documents/a-b.c/$('d'))`;
    expect(printExpression(conditionOf(source))).toBe(
      "get(/databases/$(database)/documents/users/$(request.auth.uid)).data['a'][0:2]" +
        " == {'b': [1, 2.5, b'x']}.get('b', null) && exists(/databases/(default)/documents/a-b.c/$('d'))",
    );
  });

  test('reads the escapes of strings', () => {
    const { value } = conditionOf(String.raw`'a\n\t\\\'\"\x41\u00e9\U0001f600'`) as { value: string };
    expect(value).toBe('a\n\t\\\'"A\u00e9\u{1f600}');
  });

  test('semicolons may be left out where a statement is over anyway', () => {
    const source = `service cloud.firestore {
  match /a/{b} {
    allow get
    allow list: if f(b)
    match /c/{d} { allow get: if true }
    function f(x) { return x == 'a' }
  }
}`;
    expect(problemsOf(source)).toEqual([]);
  });

  test('names every broken statement with line and column', () => {
    const source = `rules_version = '2';
service cloud.firestore {
  match /databases/{database}/documents {
    allow read: if 1 +;
    allow reed: if true;
    match /a/{b} { allow write: if request.auth.uid = b; }
    match a/{b} { }
    function f(x) { let y = 1 return y; }
    allow get: if true;
  }
}`;
    expect(problemsOf(source)).toEqual([
      '4:23 Expected an expression, found ";".',
      '5:11 Expected an operation (get, list, create, update, delete, read, write), found "reed".',
      '6:53 Expected ";" after the condition, found "=".',
      '7:11 Expected a path that begins with "/", found "a".',
      '8:31 Expected ";" after the value of the variable, found "return".',
    ]);
  });

  test.each([
    ['', '1:1 Expected "service", found the end of the file.'],
    [
      'service cloud.fire {}',
      '1:9 There is no service "cloud.fire": expected cloud.firestore or firebase.storage.',
    ],
    [
      "rules_version = '3';\nservice cloud.firestore {}",
      "1:17 Expected the version '1' or '2', found the string \"3\".",
    ],
    ['service cloud.firestore {', '1:26 Expected "}", found the end of the file.'],
    ['service cloud.firestore {} service firebase.storage {}', '1:28 A file has one service.'],
    ['service cloud.firestore { match /a/{b=***} {} }', '1:41 Expected "}" after the wildcard, found "*".'],
    [fileWith("'a"), '4:20 This string has no end on its line.'],
    [fileWith(String.raw`'\.'`), '4:21 "\\." is no escape; write "\\\\" for a backslash.'],
    [fileWith('9223372036854775808 > 0'), '4:20 The integer 9223372036854775808 does not fit into 64 bits.'],
    [fileWith('1 is integer'), /Expected a type after "is" \(bool, .*\), found "integer"/],
    [fileWith('/* '), /This comment has no end/],
    [fileWith(`${'('.repeat(200)}1${')'.repeat(200)}`), /nested more than 100 deep/],
    [fileWith(Array(500).fill('1').join(' + ')), /more than 400 levels/],
    [' '.repeat(256 * 1024 + 1), '1:1 The file has more than 262144 bytes.'],
  ])('refuses %s', (source, expected) => {
    expect(problemsOf(source)[0]).toMatch(expected);
  });

  test.each([
    ['foo', '4:20 There is no variable "foo" here.'],
    ['isOwner(1)', '4:20 There is no function "isOwner" here.'],
    ["math.power(1, 2) == 'a'", '4:20 There is no function "math.power" here.'],
    ["'a'.contains('b')", '4:20 No type has a method "contains".'],
    ["'a'.size(1)", '4:20 "size" takes 0 arguments, got 1.'],
    ['exists(/a/b, 1)', '4:20 "exists" takes 1 argument, got 2.'],
    ['firestore.exists(/a/b)', '4:20 There is no function "firestore.exists" here.'],
  ])('the checker refuses %s', (condition, expected) => {
    expect(problemsOf(fileWith(condition))).toEqual([expected]);
  });

  const inService = (text: string, version = '2') =>
    `rules_version = '${version}';\nservice cloud.firestore {\n${text}\n}`;
  const chain = Array.from({ length: 21 }, (_, n) => `function f${n}() { return f${n + 1}(); }`).join('\n');
  test.each([
    [inService('function f() { return g(); } function g() { return f(); }'), /calls itself/],
    [inService(`${chain} function f21() { return 1; }`), /deeper than 20 functions/],
    [inService('function f(a, b, c, d, e, f, g, h) { return a; }'), /more than 7 parameters/],
    [
      inService(`function f() { ${[...'abcdefghijk'].map((n) => `let ${n} = 1;`).join(' ')} return a; }`),
      /more than 10 "let"/,
    ],
    [inService('function f(a) { let a = 1; return a; }'), /"a" is declared twice/],
    [inService('function f() { return 1; } function f() { return 2; }'), /declared twice in this block/],
    [inService('function f() { let a = b; let b = 1; return a; }'), /no variable "b"/],
    [inService('match /{a}/{a} {}'), /"a" occurs twice/],
    [inService('match /{a=**}/{b=**} {}'), /at most one/],
    [inService('match /a/{b=**}/c {}', '1'), /In version '1'/],
    [inService(`${'match /a {'.repeat(11)}${'}'.repeat(11)}`), /more than 10 deep/],
    [inService(`match /${Array(101).fill('a').join('/')} {}`), /more than 100 segments/],
  ])('refuses what the cloud refuses: %s', (source, expected) => {
    expect(problemsOf(source)[0]).toMatch(expected);
  });

  test('a printed tree parses to itself', () => {
    fc.assert(
      fc.property(arbitraryExpression, (condition) => {
        const printed = printExpression(condition);
        expect(withoutPositions(conditionOf(printed))).toEqual(withoutPositions(condition));
      }),
      { numRuns: 300 },
    );
  });

  test('a printed file parses to itself', () => {
    const source = `rules_version = '1';
function top(a, b) { let c = a; return c == b; }
service firebase.storage {
  function inner() { return true; }
  match /b/{bucket}/o {
    allow list;
    match /a/{rest=**} { allow read, create: if top(1, 2) && inner(); }
  }
}`;
    const parsed = parseRules(source).file as RulesFile;
    expect(withoutPositions(parseRules(printRules(parsed)).file)).toEqual(withoutPositions(parsed));
  });
});
