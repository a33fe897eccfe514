import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Value } from './messages.ts';
import { areEqual, compareValues } from './order.ts';
import { compareNames, compareUtf8 } from './path.ts';
import { decodeMessage, encodeMessage, messageFromJson, messageToJson, stringifyJson } from './protos.ts';
import { areIdentical } from './values.ts';

const INTERESTING_INTEGERS = [
  0n,
  1n,
  -1n,
  2n ** 53n,
  2n ** 53n + 1n,
  -(2n ** 53n) - 1n,
  2n ** 63n - 1n,
  -(2n ** 63n),
];
const INTERESTING_DOUBLES = [
  0,
  -0,
  1,
  Number.NaN,
  Infinity,
  -Infinity,
  2 ** 53,
  2 ** 63,
  -(2 ** 63),
  0.5,
  5e-324,
];

const integer = fc.oneof(
  fc.constantFrom(...INTERESTING_INTEGERS),
  fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
);
const scalar: fc.Arbitrary<Value> = fc.oneof(
  fc.constant<Value>({ nullValue: 'NULL_VALUE' }),
  fc.boolean().map((booleanValue): Value => ({ booleanValue })),
  integer.map((value): Value => ({ integerValue: String(value) })),
  fc
    .oneof(fc.constantFrom(...INTERESTING_DOUBLES), fc.double())
    .map((doubleValue): Value => ({ doubleValue })),
  fc
    .record({
      seconds: fc.integer({ min: -1000, max: 1000 }).map(String),
      nanos: fc.constantFrom(0, 1000, 999_999_000),
    })
    .map((timestampValue): Value => ({ timestampValue })),
  fc.string({ unit: 'binary', maxLength: 3 }).map((stringValue): Value => ({ stringValue })),
  fc.uint8Array({ maxLength: 3 }).map((bytes): Value => ({ bytesValue: Buffer.from(bytes) })),
  fc
    .array(fc.constantFrom('a', 'b-', '__id7__', '__id10__'), { minLength: 2, maxLength: 4 })
    .map((ids): Value => ({ referenceValue: `projects/p/databases/d/documents/${ids.join('/')}` })),
  fc
    .record({ latitude: fc.constantFrom(-1, 0, 1), longitude: fc.constantFrom(-1, 0, 1) })
    .map((geoPointValue): Value => ({ geoPointValue })),
);
const { value } = fc.letrec<{ value: Value }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    scalar,
    fc.array(tie('value'), { maxLength: 3 }).map((values): Value => ({ arrayValue: { values } })),
    fc
      .dictionary(fc.constantFrom('a', 'b', 'ü', '😀', '__type__'), tie('value'), { maxKeys: 3 })
      .map((fields): Value => ({ mapValue: { fields } })),
    fc.array(scalar, { maxLength: 2 }).map(
      (values): Value => ({
        mapValue: { fields: { __type__: { stringValue: '__vector__' }, value: { arrayValue: { values } } } },
      }),
    ),
  ),
}));

describe('the order of values', () => {
  test('is total: antisymmetric, transitive, and every value equals itself', () => {
    fc.assert(
      fc.property(value, value, value, (a, b, c) => {
        expect(compareValues(a, a)).toBe(0);
        expect(Math.sign(compareValues(a, b)) + Math.sign(compareValues(b, a))).toBe(0);
        const [low, middle, high] = [a, b, c].sort(compareValues) as [Value, Value, Value];
        expect(compareValues(low, middle)).toBeLessThanOrEqual(0);
        expect(compareValues(middle, high)).toBeLessThanOrEqual(0);
        expect(compareValues(low, high)).toBeLessThanOrEqual(0);
      }),
      { numRuns: 1000 },
    );
  });

  test('survives bytes and JSON: what comes back is identical', () => {
    fc.assert(
      fc.property(value, (original) => {
        const fromBytes = decodeMessage('Value', encodeMessage('Value', original)) as Value;
        expect(areIdentical(fromBytes, original)).toBe(true);
        const json = JSON.parse(stringifyJson(messageToJson('Value', original))) as unknown;
        const fromJson = messageFromJson('Value', json) as Value;
        expect(areIdentical(fromJson, original)).toBe(true);
        expect(compareValues(fromJson, original)).toBe(0);
      }),
      { numRuns: 1000 },
    );
  });

  test('identical values are equal, and equal ones need not be identical', () => {
    fc.assert(
      fc.property(value, value, (a, b) => {
        if (areIdentical(a, b)) expect(areEqual(a, b)).toBe(true);
      }),
    );
    expect(areEqual({ integerValue: '1' }, { doubleValue: 1 })).toBe(true);
    expect(areIdentical({ integerValue: '1' }, { doubleValue: 1 })).toBe(false);
    expect(areEqual({ doubleValue: 0 }, { doubleValue: -0 })).toBe(true);
    expect(areIdentical({ doubleValue: 0 }, { doubleValue: -0 })).toBe(false);
  });

  test('follows the types, then NaN before numbers, whole and broken ones mixed exactly', () => {
    const map = (fields: Record<string, Value>): Value => ({ mapValue: { fields } });
    const vector = (...numbers: number[]) =>
      map({
        __type__: { stringValue: '__vector__' },
        value: { arrayValue: { values: numbers.map((doubleValue) => ({ doubleValue })) } },
      });
    const ascending: Value[] = [
      { nullValue: 'NULL_VALUE' },
      { booleanValue: false },
      { booleanValue: true },
      { doubleValue: Number.NaN },
      { doubleValue: -Infinity },
      { integerValue: '-9223372036854775808' },
      { doubleValue: -0.5 },
      { integerValue: '0' },
      { doubleValue: 9007199254740992 },
      { integerValue: '9007199254740993' },
      { integerValue: '9223372036854775807' },
      { doubleValue: 2 ** 63 },
      { timestampValue: { seconds: '-1', nanos: 5 } },
      { timestampValue: {} },
      { stringValue: '' },
      { stringValue: '\uffff' },
      { stringValue: '😀' },
      { bytesValue: Buffer.from([]) },
      { bytesValue: Buffer.from([255]) },
      { referenceValue: 'projects/p/databases/d/documents/a/__id9__' },
      { referenceValue: 'projects/p/databases/d/documents/a/__id10__' },
      { referenceValue: 'projects/p/databases/d/documents/a/A' },
      { geoPointValue: { latitude: -1 } },
      { geoPointValue: {} },
      { arrayValue: {} },
      { arrayValue: { values: [{ stringValue: 'z' }] } },
      vector(9),
      vector(1, 1),
      map({}),
      map({ a: { integerValue: '2' } }),
      map({ a: { integerValue: '2' }, b: { nullValue: 'NULL_VALUE' } }),
      map({ b: { nullValue: 'NULL_VALUE' } }),
    ];
    for (let index = 1; index < ascending.length; index++) {
      expect(compareValues(ascending[index - 1]!, ascending[index]!), String(index)).toBeLessThan(0);
    }
  });
});

describe('the order of strings and names', () => {
  test('strings compare as their UTF-8 bytes do', () => {
    const text = fc.string({ unit: 'binary', maxLength: 4 });
    fc.assert(
      fc.property(text, text, (a, b) => {
        expect(compareUtf8(a, b)).toBe(Buffer.compare(Buffer.from(a), Buffer.from(b)));
      }),
      { numRuns: 1000 },
    );
  });

  test('names compare id by id: a/x comes before a-b although "-" comes before "/"', () => {
    expect(compareNames('a/x', 'a-b')).toBeLessThan(0);
    expect(compareNames('__id-9223372036854775808__', '__id1__')).toBeLessThan(0);
    expect(compareNames('__id1__', '!')).toBeLessThan(0);
    expect(compareNames('a', 'a/b')).toBeLessThan(0);
  });
});
