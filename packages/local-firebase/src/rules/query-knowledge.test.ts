import { describe, expect, test } from 'vitest';
import type { Filter, StructuredQuery, Value } from '../firestore/messages.ts';
import { compileQuery } from '../firestore/query.ts';
import { silentLogger } from '../logger.ts';
import type { DocumentReader } from './firestore-values.ts';
import { listQuestions, queryValue } from './query-knowledge.ts';
import { loadRuleset } from './ruleset.ts';
import type { RulesValue } from './values.ts';

const documents = 'projects/p/databases/(default)/documents';

/** Whether the rules allow a query by "ada". */
function isAllowed(
  rules: string,
  query: StructuredQuery,
  { parent = documents, read = () => undefined }: { parent?: string; read?: DocumentReader } = {},
): boolean {
  const source = `rules_version = '2'; service cloud.firestore { match /databases/{database}/documents { ${rules} } }`;
  const ruleset = loadRuleset(source, { service: 'cloud.firestore', file: 'test', logger: silentLogger });
  const compiled = compileQuery(parent, query);
  return listQuestions(compiled, read).every(
    ({ path, resource }) =>
      ruleset.decide({
        method: 'list',
        path,
        resource,
        request: new Map<string, RulesValue>([
          ['auth', new Map([['uid', 'ada']])],
          ['query', queryValue(compiled)],
        ]),
        document: () => null,
      }).isAllowed,
  );
}

const text = (stringValue: string): Value => ({ stringValue });
const number = (value: number): Value => ({ integerValue: String(value) });
const list = (...values: Value[]): Value => ({ arrayValue: { values } });
type Operator = NonNullable<NonNullable<Filter['fieldFilter']>['op']>;
const field = (fieldPath: string, op: Operator, value: Value): Filter => ({
  fieldFilter: { field: { fieldPath }, op, value },
});
const unary = (fieldPath: string, op: 'IS_NULL' | 'IS_NOT_NULL' | 'IS_NAN'): Filter => ({
  unaryFilter: { field: { fieldPath }, op },
});
const all = (...filters: Filter[]): Filter => ({ compositeFilter: { op: 'AND', filters } });
const any = (...filters: Filter[]): Filter => ({ compositeFilter: { op: 'OR', filters } });

/** Whether a query of "notes" with the filter is allowed under the condition. */
const isConditionMet = (condition: string, where?: Filter) =>
  isAllowed(`match /notes/{id} { allow list: if ${condition}; }`, {
    from: [{ collectionId: 'notes' }],
    ...(where === undefined ? {} : { where }),
  });

const owner = field('owner', 'EQUAL', text('ada'));

describe('what a filter tells a condition', () => {
  test.each<[condition: string, where: Filter | undefined, expected: boolean]>([
    ['true', undefined, true],
    ["resource.data.owner == 'ada'", owner, true],
    ["resource.data.owner == 'ada'", undefined, false],
    ["resource.data['owner'] == 'ada'", owner, true],
    ["resource.data.get('owner', '') == 'ada'", owner, true],
    ["resource.data.get('other', 'ada') == 'ada'", owner, false],
    ["resource.data.owner == 'bob'", owner, false],
    ["resource.data.owner is string && 'owner' in resource.data", owner, true],
    ["'other' in resource.data", owner, false],
    ["!('other' in resource.data)", owner, false],
    ["resource.data.keys().hasAll(['owner'])", owner, false],
    ['resource.data.size() == 1', owner, false],
    ['resource != null && resource.data is map', undefined, true],
    ['resource == null', undefined, false],
    ["id == 'a' || resource.id == 'a' || resource['__name__'] is path", owner, false],
    // All alternatives must hold.
    ["resource.data.owner in ['ada', 'bob']", field('owner', 'IN', list(text('ada'), text('bob'))), true],
    ["resource.data.owner == 'ada'", field('owner', 'IN', list(text('ada'), text('bob'))), false],
    [
      "resource.data.owner == 'ada' || resource.data.open",
      any(owner, field('open', 'EQUAL', { booleanValue: true })),
      true,
    ],
    ["resource.data.owner == 'ada'", any(owner, field('open', 'EQUAL', { booleanValue: true })), false],
    [
      "resource.data.owner == 'ada' && resource.data.n == 1",
      all(owner, field('n', 'EQUAL', number(1))),
      true,
    ],
    ["resource.data.owner == 'ada'", field('owner', 'IN', list({ nullValue: 'NULL_VALUE' })), false],
    // Inequalities imply what each alone implies.
    ['resource.data.n > 10', field('n', 'GREATER_THAN', number(10)), true],
    ['resource.data.n >= 10', field('n', 'GREATER_THAN', number(10)), true],
    ['10 < resource.data.n', field('n', 'GREATER_THAN', number(10)), true],
    ['resource.data.n > 10', field('n', 'GREATER_THAN_OR_EQUAL', number(10)), false],
    ['resource.data.n > 10', field('n', 'GREATER_THAN_OR_EQUAL', number(11)), true],
    ['resource.data.n > 10', field('n', 'GREATER_THAN', number(9)), false],
    ['resource.data.n < 10', field('n', 'LESS_THAN', number(10)), true],
    ['resource.data.n <= 9', field('n', 'LESS_THAN', number(10)), false],
    ['resource.data.n < 10', field('n', 'GREATER_THAN', number(1)), false],
    ['resource.data.n != 10', field('n', 'GREATER_THAN', number(10)), true],
    ['resource.data.n != 11', field('n', 'GREATER_THAN', number(10)), false],
    ["resource.data.n != 'a'", field('n', 'GREATER_THAN', number(10)), true],
    [
      'resource.data.n == 10',
      all(field('n', 'GREATER_THAN_OR_EQUAL', number(10)), field('n', 'LESS_THAN_OR_EQUAL', number(10))),
      false,
    ],
    ['!(resource.data.n > 10)', field('n', 'LESS_THAN', number(5)), false],
    ['resource.data.n is int', field('n', 'GREATER_THAN', number(10)), false],
    ['resource.data.n != 1', field('n', 'NOT_EQUAL', number(1)), true],
    ['resource.data.n != 2', field('n', 'NOT_EQUAL', number(1)), false],
    [
      'resource.data.n != 1 && resource.data.n != null',
      field('n', 'NOT_IN', list(number(1), number(2))),
      true,
    ],
    ['resource.data.n == null', unary('n', 'IS_NULL'), true],
    ['resource.data.n != null', unary('n', 'IS_NOT_NULL'), true],
    ['math.isNaN(resource.data.n)', unary('n', 'IS_NAN'), true],
    // Arrays
    ["'a' in resource.data.tags", field('tags', 'ARRAY_CONTAINS', text('a')), true],
    ["'b' in resource.data.tags", field('tags', 'ARRAY_CONTAINS', text('a')), false],
    [
      "resource.data.tags.hasAny(['a', 'b'])",
      field('tags', 'ARRAY_CONTAINS_ANY', list(text('a'), text('b'))),
      true,
    ],
    ["resource.data.tags.hasAll(['a'])", field('tags', 'ARRAY_CONTAINS', text('a')), true],
    ["resource.data.tags.hasOnly(['a'])", field('tags', 'ARRAY_CONTAINS', text('a')), false],
    ['resource.data.tags.size() > 0', field('tags', 'ARRAY_CONTAINS', text('a')), false],
    // Fields within maps
    ["resource.data.a.b == 'x'", field('a.b', 'EQUAL', text('x')), true],
    ["resource.data.a.c == 'x'", field('a.b', 'EQUAL', text('x')), false],
    ["resource.data.get(['a', 'b'], '') == 'x'", field('a.b', 'EQUAL', text('x')), true],
    ["resource.data.a.keys().hasOnly(['b'])", field('a.b', 'EQUAL', text('x')), false],
    [
      "resource.data.a.keys().hasOnly(['b'])",
      field('a', 'EQUAL', { mapValue: { fields: { b: text('x') } } }),
      true,
    ],
    ["resource.data.a == {'b': 'x'}", field('a.b', 'EQUAL', text('x')), false],
    // Unknown values go into nothing.
    ['resource.data.x + 1 > 0 || resource.data.x[0] == 1 || resource.data.x ? true : true', owner, false],
    [
      "exists(/databases/$(database)/documents/a/$(id)) || [id].hasAny(['a']) || -resource.data.n < 0",
      owner,
      false,
    ],
  ])('%s is met by %j: %s', (condition, where, expected) => {
    expect(isConditionMet(condition, where)).toBe(expected);
  });

  test('the limit, the offset and the orders can be asked for', () => {
    const rule = `match /notes/{id} { allow list: if request.query.limit <= 10
      && request.query.get('offset', 0) < 5 && request.query.orderBy.n == 'DESC'; }`;
    const order = [{ field: { fieldPath: 'n' }, direction: 'DESCENDING' as const }];
    const query = { from: [{ collectionId: 'notes' }], orderBy: order, limit: { value: 10 } };
    expect(isAllowed(rule, query)).toBe(true);
    expect(isAllowed(rule, { ...query, offset: 5 })).toBe(false);
    expect(isAllowed(rule, { ...query, limit: { value: 11 } })).toBe(false);
    expect(isAllowed(rule, { from: query.from, orderBy: order })).toBe(false);
    expect(isAllowed(rule, { ...query, orderBy: [] })).toBe(false);
  });

  test('a filter by name asks about the document that is there', () => {
    const name = `${documents}/notes/a`;
    const where = field('__name__', 'EQUAL', { referenceValue: name });
    const query = { from: [{ collectionId: 'notes' }], where };
    const rule = "match /notes/{id} { allow list: if id == 'a' && resource.data.owner == 'ada'; }";
    const read = (fields: Record<string, Value>) => ({ read: () => ({ name, fields }) });
    expect(isAllowed(rule, query, read({ owner: text('ada') }))).toBe(true);
    expect(isAllowed(rule, query, read({ owner: text('bob') }))).toBe(false);
    expect(isAllowed(rule, query)).toBe(false);
  });
});

describe('where a query looks', () => {
  const group = (collectionId: string) => ({ from: [{ collectionId, allDescendants: true }] });
  test.each<[rules: string, query: StructuredQuery, parent: string, expected: boolean]>([
    [
      "match /users/{u}/notes/{id} { allow list: if u == 'ada'; }",
      { from: [{ collectionId: 'notes' }] },
      '/users/ada',
      true,
    ],
    [
      "match /users/{u}/notes/{id} { allow list: if u == 'ada'; }",
      { from: [{ collectionId: 'notes' }] },
      '/users/bob',
      false,
    ],
    ['match /notes/one { allow list; }', { from: [{ collectionId: 'notes' }] }, '', false],
    ['match /{all=**} { allow list; }', { from: [{ collectionId: 'notes' }] }, '', true],
    ['match /notes/{id} { allow list; }', group('notes'), '', false],
    ['match /{path=**}/notes/{id} { allow list; }', group('notes'), '', true],
    ['match /{path=**}/notes/{id} { allow list; }', group('others'), '', false],
    ['match /users/{u}/{path=**}/notes/{id} { allow list; }', group('notes'), '', false],
    ['match /users/{u}/{path=**}/notes/{id} { allow list; }', group('notes'), '/users/ada', true],
    ['match /users/{u}/{c}/{d}/notes/{id} { allow list; }', group('notes'), '/users/ada', false],
    ["match /{path=**}/notes/{id} { allow list: if path[0] == 'users'; }", group('notes'), '', false],
    ['match /{c}/{d}/{rest=**} { allow list; }', { from: [{ allDescendants: true }] }, '', true],
    ['match /{c}/{d} { allow list; }', { from: [{ allDescendants: true }] }, '', false],
    ['match /users/{u}/{c}/{d} { allow list; }', { from: [{}] }, '/users/ada', true],
  ])('%s with %j below "%s": %s', (rules, query, parent, expected) => {
    expect(isAllowed(rules, query, { parent: `${documents}${parent}` })).toBe(expected);
  });

  test("in version '1' a recursive wildcard takes at least one segment", () => {
    const decide = (version: string, path: string[]) =>
      loadRuleset(
        `rules_version = '${version}'; service cloud.firestore { match /a/{rest=**} { allow get; } }`,
        { service: 'cloud.firestore', file: 'test', logger: silentLogger },
      ).decide({ method: 'get', path, request: null, resource: null, document: () => null }).isAllowed;
    expect([decide('2', ['a']), decide('2', ['a', 'b', 'c'])]).toEqual([true, true]);
    expect([decide('1', ['a']), decide('1', ['a', 'b', 'c'])]).toEqual([false, true]);
  });
});
