import { describe, expect, test } from 'vitest';
import { silentLogger } from '../logger.ts';
import { parseRules } from './parser.ts';
import { createRuleset, loadRuleset } from './ruleset.ts';
import { describeValue, EvaluationError, pathOf, type RulesMap, type RulesValue } from './values.ts';

const resource: RulesMap = new Map<string, RulesValue>([
  [
    'data',
    new Map<string, RulesValue>([
      ['name', 'Ann'],
      ['age', 41n],
      ['height', 1.7],
      ['tags', ['a', 'b']],
      ['nothing', null],
      ['when', { kind: 'timestamp', nanos: 1_700_000_000_123_456_789n }],
      ['place', { kind: 'latlng', latitude: 48.1, longitude: 11.6 }],
      ['nested', new Map([['deep', new Map([['er', 1n]])]])],
    ]),
  ],
]);

/** The value of an expression as text, or "error: …". */
function resultOf(expression: string): string {
  let shown: string | undefined;
  const source = `rules_version = '2';
service cloud.firestore {
  match /a/{id}/{rest=**} {
    function twice(x) { let y = x + x; return y; }
    allow get: if debug(${expression}) == 0;
  }
}`;
  const info = ({ value }: Record<string, unknown>) => {
    shown = String(value);
  };
  const options = { service: 'cloud.firestore', file: 'test', logger: { ...silentLogger, info } } as const;
  const decision = loadRuleset(source, options).decide({
    method: 'get',
    path: ['a', 'b', 'c', 'd'],
    request: new Map([['auth', null]]),
    resource,
    document(path) {
      if (path.segments.at(-1) === 'broken') throw new EvaluationError('broken');
      return path.segments.at(-1) === 'there' ? resource : null;
    },
  });
  const [reason = ''] = decision.isAllowed ? [] : decision.reasons;
  return shown ?? `error: ${reason.replace('test:5: ', '')}`;
}

describe('expressions', () => {
  test.each([
    // Numbers
    ['1 + 2 * 3', '7'],
    ['7 / 2', '3'],
    ['-7 / 2', '-3'],
    ['-7 % 4', '-3'],
    ['7 / 2.0', '3.5'],
    ['1 == 1.0', 'true'],
    ['9223372036854775807 + 1', 'error: Integer overflow.'],
    ['1 / 0', 'error: Division by zero.'],
    ['0x1F', '31'],
    ['2 > 1.5', 'true'],
    ["1 < 'a'", 'error: Cannot order int and string.'],
    ["1 == 'a'", 'false'],
    ['true + 1', 'error: "+" takes no bool and int.'],
    ["'a' + 1", 'error: "+" takes no string and int.'],
    ["int('12') + int(2.9)", '14'],
    ["int('1x')", 'error: "1x" is no int.'],
    ["float('2.5')", '2.5'],
    ["bool('true')", 'true'],
    ['string(12) + string(true) + string(null)', '"12truenull"'],
    // Booleans, errors and the sides that absorb them
    ['!true', 'false'],
    ['!1', 'error: Expected a bool, got int.'],
    ['resource.data.missing == 1 || true', 'true'],
    ['true || resource.data.missing == 1', 'true'],
    ['resource.data.missing == 1 && false', 'false'],
    ['false && resource.data.missing == 1', 'false'],
    ['resource.data.missing == 1 || false', 'error: Property missing is undefined on object.'],
    ['true && resource.data.missing == 1', 'error: Property missing is undefined on object.'],
    ['1 || true', 'true'],
    ['true && 1', 'error: Expected a bool, got int.'],
    ['true ? 1 : resource.data.missing', '1'],
    ['resource.data.missing ? 1 : 2', 'error: Property missing is undefined on object.'],
    ['request.auth.uid', 'error: Null value error.'],
    ["request['auth'] == null", 'true'],
    // Strings
    ["'abc'.size()", '3'],
    ["'\u{1f600}'.size()", '1'],
    ["'abc'[1]", '"b"'],
    ["'abcd'[1:3]", '"bc"'],
    ["'abcd'[1:5]", 'error: The range 1:5 is out of bounds.'],
    ["'abc'[3]", 'error: The index 3 is out of bounds.'],
    ["' A b '.trim().lower() + 'x'.upper()", '"a bX"'],
    ["'user@domain.com'.matches('.*@domain[.]com')", 'true'],
    ["'xuser'.matches('user')", 'false'],
    ["'a\\nb'.matches('a.b')", 'false'],
    ["'banana'.replace('a', '$&')", '"b$&n$&n$&"'],
    ["'a, b;c'.split('[,;] *')", '["a", "b", "c"]'],
    ["'abc'.split('')", '["a", "b", "c"]'],
    ["',a,'.split(',')", '["", "a", ""]'],
    ["'baaac'.replace('a*', 'x')", '"xbxcx"'],
    ["'aab'.replace('a|aa', 'x')", '"xxb"'],
    ["'aab'.replace('aa|a', 'x')", '"xb"'],
    ["'aab'.replace('a+?', 'x')", '"xxb"'],
    ["'é'.toUtf8()", 'bytes(c3a9)'],
    ["'b' > 'a' && 'a' < 'aa'", 'true'],
    ["b'abc'.size() == 3 && b'a' == 'a'.toUtf8() && b'b' > b'a'", 'true'],
    // Lists
    ['[1, 2] == [1.0, 2]', 'true'],
    ['2 in [1, 2]', 'true'],
    ["'a' in 'abc'", 'error: "in" looks into a list, a set or a map, not into string.'],
    ['[1, 2, 3][1]', '2'],
    ['[1, 2, 3][1:3]', '[2, 3]'],
    ['[1, 2][-1]', 'error: The index -1 is out of bounds.'],
    ["['a', 'b'].hasAll(['a'])", 'true'],
    ["['a', 'b'].hasAny(['c', 'b'])", 'true'],
    ["['a', 'b'].hasOnly(['a'])", 'false'],
    ["['a'].hasOnly(['a', 'b'])", 'true'],
    ['[1].concat([2, 1]).toSet().size()', '2'],
    ["['a', 1].join('-')", '"a-1"'],
    ['[1, 2, 1].removeAll([1])', '[2]'],
    // Sets
    ['[1, 2].toSet() == [2, 1].toSet()', 'true'],
    ['[1, 2].toSet().difference([2].toSet())', 'set(1)'],
    ['[1, 2].toSet().intersection([2, 3].toSet())', 'set(2)'],
    ['[1].toSet().union([2].toSet())', 'set(1, 2)'],
    ['1 in [1].toSet() && [1].toSet() is set', 'true'],
    // Maps
    ["{'a': 1}.a + {'b': 2}['b']", '3'],
    ["{'a': 1, 'b': 2}.keys().hasOnly(['a', 'b'])", 'true'],
    ["{'a': 1}.values()", '[1]'],
    ["'a' in {'a': 1}", 'true'],
    ["{'a': 1}.get('b', 5)", '5'],
    ["resource.data.get(['nested', 'deep', 'er'], 0)", '1'],
    ["resource.data.get(['nested', 'no', 'er'], 0)", '0'],
    ["{'a': 1, 'b': 2, 'd': 0}.diff({'b': 3, 'c': 1, 'd': 0}).affectedKeys()", 'set("b", "c", "a")'],
    ["{'a': 1, 'b': 2}.diff({'b': 3, 'c': 1}).addedKeys()", 'set("a")'],
    ["{'a': 1, 'b': 2}.diff({'b': 3, 'c': 1}).removedKeys()", 'set("c")'],
    ["{'a': 1, 'b': 2}.diff({'b': 3, 'c': 1}).changedKeys()", 'set("b")'],
    ["{'a': 1, 'b': 2}.diff({'b': 2, 'c': 1}).unchangedKeys()", 'set("b")'],
    ['{1: 2}', 'error: The key of a map is a string, not int.'],
    // Types
    ['1 is int && 1 is number && 1.0 is float && !(1 is float)', 'true'],
    ["'a' is string && b'a' is bytes && true is bool && [] is list && {} is map && /a is path", 'true'],
    ['null is string || null is map', 'false'],
    [
      "resource.data.when is timestamp && duration.value(1, 's') is duration && resource.data.place is latlng",
      'true',
    ],
    ['{}.diff({}) is map_diff', 'true'],
    // Times
    ['timestamp.date(2024, 2, 29).toMillis()', '1709164800000'],
    ['timestamp.date(2023, 2, 29)', 'error: There is no day 2023-2-29.'],
    ["timestamp.value(0) + duration.value(1, 'd') == timestamp.date(1970, 1, 2)", 'true'],
    ['(timestamp.date(2024, 1, 2) - timestamp.date(2024, 1, 1)).seconds()', '86400'],
    ['resource.data.when.year()', '2023'],
    ['resource.data.when.month() * 100 + resource.data.when.day()', '1114'],
    ['resource.data.when.dayOfWeek()', '2'],
    ['resource.data.when.dayOfYear()', '318'],
    [
      'resource.data.when.hours() * 10000 + resource.data.when.minutes() * 100 + resource.data.when.seconds()',
      '221320',
    ],
    ['resource.data.when.nanos()', '123456789'],
    ['resource.data.when.time().seconds()', '80000'],
    ['resource.data.when.date() == timestamp.date(2023, 11, 14)', 'true'],
    ['timestamp.value(-1).nanos()', '999000000'],
    ['duration.time(1, 2, 3, 4).seconds()', '3723'],
    ["duration.abs(-duration.value(2, 'm')) == duration.value(120, 's')", 'true'],
    ["duration.value(1, 'y')", 'error: "y" is no unit of time: expected w, d, h, m, s, ms, ns.'],
    // Places, math, hashes
    ['math.round(latlng.value(0, 0).distance(latlng.value(0, 1)))', '111195'],
    ['resource.data.place.latitude() + latlng.value(1, 2).longitude()', '50.1'],
    ['latlng.value(91, 0)', 'error: A latitude is within ±90 degrees, a longitude within ±180.'],
    ['math.abs(-3) + math.ceil(1.2) + math.floor(-1.2) + math.round(-2.5)', '0'],
    ['math.pow(2, 10) + math.sqrt(9)', '1027'],
    ['math.isNaN(0.0 / 0.0) && math.isInfinite(1 / 0.0)', 'true'],
    ["hashing.md5('a').toHexString()", '"0cc175b9c0f1b6a831c399e269772661"'],
    ["hashing.sha256(b'').toBase64()", '"47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="'],
    ["hashing.crc32('123456789').toHexString()", '"cbf43926"'],
    ["hashing.crc32c('123456789').toHexString()", '"e3069283"'],
    // Paths, wildcards, functions, documents
    ['/a/$(id)/c == path("a/b/c")', 'true'],
    ['rest', '/c/d'],
    ['/x/$(rest)/y', '/x/c/d/y'],
    ['rest[1] + id', '"db"'],
    ['string(/a/b)', '"/a/b"'],
    ['/a/$(1)', 'error: A path takes strings and paths, not int.'],
    ['twice(21)', '42'],
    ['exists(/a/there) && !exists(/a/gone)', 'true'],
    ['get(/a/there).data.name', '"Ann"'],
    ['get(/a/gone).data', 'error: Null value error.'],
    ['exists(/a/broken) || true', 'true'],
    ["get('a/b')", 'error: get() takes a path, not string.'],
  ])('%s is %s', (expression, expected) => {
    expect(resultOf(expression)).toBe(expected);
  });

  test.each([
    ['[[:alpha:]]+[^[:digit:]]', 'ab_', true],
    ['(?i)ABC', 'abc', true],
    ['(?s)a.b', 'a\nb', true],
    ['\\A\\Qa.b\\E\\z', 'a.b', true],
    ['\\p{Greek}+', 'αβγ', true],
    ['\\pL\\PN', 'é-', true],
    ['(?P<year>\\d{4})-(?:0[1-9])', '2024-05', true],
    ['[\\w.-]+@\\x61\\.b', 'x.y-z@a.b', true],
    ['a{,2}', 'a{,2}', true],
    ['[]a]+', 'a]', true],
    ['[^\\s]+', 'a\u00a0b', true],
    ['x|xy', 'xy', true],
    ['a(?i:bc)d', 'aBCd', true],
    ['(?i)é', 'É', true],
    ['\\D\\w\\x{1F600}', '-_\u{1f600}', true],
    ['[[:^alpha:]x-z]+', '1y', true],
    ['(a*)*b', 'aaab', true],
    ['(?m)a$\\n^b', 'a\nb', true],
    ['\\bab\\b', 'ab', true],
    ['(a)\\1', 'aa', /not valid/],
    ['a(?=b)', 'a', /not supported/],
    ['a(?!b)', 'a', /not supported/],
    ['a**', 'a', /repeated again/],
    ['a|*', 'a', /nothing stands before/],
    ['a{2,1}', 'a', /repeats too often, or from more/],
    ['(a{1000}){1000}', 'a', /too large/],
    ['(', 'a', /not valid/],
    ['[b-a]', 'a', /not valid/],
    ['a{1001}', 'a', /repeats too often/],
    ['\\y', 'y', /no escape of RE2/],
  ])('the regular expression %s for %j: %s', (pattern, text, expected) => {
    const literal = (value: string) => `'${value.replace(/[\\']/g, '\\$&').replaceAll('\n', '\\n')}'`;
    const value = resultOf(`${literal(text)}.matches(${literal(pattern)})`);
    if (expected === true) expect(value).toBe('true');
    else expect(value).toMatch(expected as RegExp);
  });
});

describe('limits of a request', () => {
  const decide = (condition: string) => {
    const { file } = parseRules(
      `rules_version = '2'; service cloud.firestore { match /a/{b} { allow get: if ${condition}; allow get; } }`,
    );
    return createRuleset(file!, { file: 'test', logger: silentLogger }).decide({
      method: 'get',
      path: ['a', 'b'],
      request: null,
      resource: null,
      document: () => null,
    });
  };

  test('a request that needs more than 1000 expressions is denied, whatever else would allow it', () => {
    const part = `[${Array(101).fill('b').join(', ')}] == 1`;
    expect(decide(Array(9).fill(part).join(' || ')).isAllowed).toBe(true);
    expect(decide(Array(10).fill(part).join(' || '))).toEqual({
      isAllowed: false,
      reasons: ['test:1: The request needs more expressions than may be evaluated.'],
    });
  });

  test('a value that grows without bounds is an error', () => {
    const doubled = `function d(x) { let a = x + x; let b = a + a; let c = b + b; let e = c + c; return e + e; }`;
    const source = `rules_version = '2'; service cloud.firestore { ${doubled} match /a/{b} {
      allow get: if d(d(d(d(d('aaaaaaaa'))))).size() > 0; } }`;
    const ruleset = loadRuleset(source, { service: 'cloud.firestore', file: 'test', logger: silentLogger });
    const request = { method: 'get', path: ['a', 'b'], request: null, resource: null } as const;
    expect(ruleset.decide({ ...request, document: () => null })).toMatchObject({
      reasons: [expect.stringMatching('would be longer')],
    });
  });
});

test('values read well in a log', () => {
  const map = new Map<string, RulesValue>([['a', { kind: 'duration', nanos: 5n }]]);
  expect(describeValue([map, pathOf(['x']), { kind: 'unknown', constraints: [] }])).toBe(
    '[{"a": duration(5 ns)}, /x, unknown]',
  );
});
