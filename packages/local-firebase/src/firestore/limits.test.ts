/** What documents, names and commits may be at most, with the codes of the cloud: https://firebase.google.com/docs/firestore/quotas */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { checkBatchWrite } from './commit-limits.ts';
import { createEngine, type Engine } from './engine.ts';
import type { Fields, FieldTransform, Value, Write } from './messages.ts';
import { openStore, type Store } from './store.ts';

const documents = 'projects/p/databases/(default)/documents';

let folder: string;
let store: Store;
let engine: Engine;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'limits-'));
  store = openStore(join(folder, 'firestore.db'));
  engine = createEngine(store, Date.now);
});
afterAll(() => {
  store.close();
  rmSync(folder, { recursive: true });
});

const text = (stringValue: string): Value => ({ stringValue });
const map = (fields: Fields): Value => ({ mapValue: { fields } });
const list = (...values: Value[]): Value => ({ arrayValue: { values } });
const vector = (...values: Value[]): Value => map({ __type__: text('__vector__'), value: list(...values) });
const nested = (levels: number): Value => (levels === 0 ? text('x') : map({ a: nested(levels - 1) }));
const setting = (path: string, fields: Fields): Write => ({
  update: { name: `${documents}/${path}`, fields },
});
const transforming = (path: string, ...fieldTransforms: FieldTransform[]): Write => ({
  transform: { document: `${documents}/${path}`, fieldTransforms },
});
const invalid = expect.objectContaining({ status: 'INVALID_ARGUMENT' });

describe('refused as invalid arguments', () => {
  const path = (...ids: string[]) => setting(ids.join('/'), {});
  test.each<[string, () => Write[]]>([
    ['a document over 1 MiB', () => [setting('a/b', { a: text('x'.repeat(1_048_576)) })]],
    ['21 levels', () => [setting('a/b', { a: nested(20) })]],
    [
      'more than 40,000 index entries',
      () => [setting('a/b', { a: list(...Array.from({ length: 40_001 }, (_, n) => ({ doubleValue: n }))) })],
    ],
    ['an array in an array', () => [setting('a/b', { a: list(list()) })]],
    [
      'an array in a map in an array is fine, one right in it is not',
      () => [setting('a/b', { a: list(map({ b: list(list()) })) })],
    ],
    ['a field name over 1500 bytes', () => [setting('a/b', { ['é'.repeat(751)]: text('') })]],
    ['a reserved field name', () => [setting('a/b', { __mine__: text('') })]],
    ['an empty field name', () => [setting('a/b', { '': text('') })]],
    ['an id over 1500 bytes', () => [path('a', 'é'.repeat(751))]],
    ['the id .', () => [path('a', '.')]],
    ['the id ..', () => [path('..', 'b')]],
    ['a reserved id', () => [path('a', '__b__')]],
    ['a numeric id beyond 64 bits', () => [path('a', '__id9999999999999999999__')]],
    ['a name over 6 KiB', () => [path(...Array.from({ length: 6 }, (_, n) => String(n).repeat(1200)))]],
    ['101 collections deep', () => [path(...Array.from({ length: 202 }, () => 'a'))]],
    [
      'a vector of 2049 dimensions',
      () => [setting('a/b', { a: vector(...Array.from({ length: 2049 }, () => ({ doubleValue: 1 }))) })],
    ],
    ['a vector of text', () => [setting('a/b', { a: vector(text('x')) })]],
    ['latitude 91', () => [setting('a/b', { a: { geoPointValue: { latitude: 91 } } })]],
    ['the year 10000', () => [setting('a/b', { a: { timestampValue: { seconds: '253402300800' } } })]],
    [
      '501 transforms of one document, in two writes',
      () => [
        transforming(
          'a/b',
          ...Array.from({ length: 300 }, (_, n) => ({
            fieldPath: `f${n}`,
            increment: { integerValue: '1' },
          })),
        ),
        transforming(
          'a/b',
          ...Array.from({ length: 201 }, (_, n) => ({
            fieldPath: `g${n}`,
            increment: { integerValue: '1' },
          })),
        ),
      ],
    ],
    [
      'a commit over 10 MiB',
      () => Array.from({ length: 12 }, (_, n) => setting(`a/${n}`, { a: text('x'.repeat(1_000_000)) })),
    ],
  ])('%s', async (_name, writes) => {
    await expect(engine.commit(writes())).rejects.toEqual(invalid);
  });

  test('a BatchWrite of more than 500 writes, or of one document twice', () => {
    expect(() => checkBatchWrite(Array.from({ length: 501 }, (_, n) => `a/${n}`))).toThrow(invalid);
    expect(() => checkBatchWrite(['a/b', 'a/c', 'a/b'])).toThrow(invalid);
    expect(() => checkBatchWrite(Array.from({ length: 500 }, (_, n) => `a/${n}`))).not.toThrow();
  });
});

test('what just fits is stored as it came', async () => {
  const fields: Fields = {
    deep: nested(19),
    ['é'.repeat(750)]: text('long name'),
    large: { integerValue: '9223372036854775807' },
    odd: { integerValue: '9007199254740993' },
    nan: { doubleValue: Number.NaN },
    zero: { doubleValue: -0 },
    vector: vector({ doubleValue: 1 }, { doubleValue: -0 }),
    list: list(map({ b: list(text('x')) })),
    dotted: map({ 'a.b': text('x'), '`': text('y') }),
  };
  await engine.commit([setting(`a/${'é'.repeat(750)}`, fields), setting('a/__id7__', {})]);
  expect(store.read(`${documents}/a/${'é'.repeat(750)}`)?.fields).toEqual(fields);
  await engine.commit(Array.from({ length: 500 }, (_, n) => setting(`many/${n}`, { n: text('x') })));
});

describe('transforms', () => {
  const one = async (before: Value | undefined, transform: FieldTransform): Promise<Value | undefined> => {
    await engine.commit([setting('t/x', before === undefined ? {} : { f: before })]);
    await engine.commit([transforming('t/x', { fieldPath: 'f', ...transform })]);
    return store.read(`${documents}/t/x`)?.fields['f'];
  };
  const integer = (n: string): Value => ({ integerValue: n });
  const double = (n: number): Value => ({ doubleValue: n });

  test.each<[string, Value | undefined, FieldTransform, Value]>([
    [
      'an overflow saturates',
      integer('9223372036854775807'),
      { increment: integer('5') },
      integer('9223372036854775807'),
    ],
    [
      'so does an underflow',
      integer('-9223372036854775807'),
      { increment: integer('-5') },
      integer('-9223372036854775808'),
    ],
    [
      'beyond 2^53 every unit counts',
      integer('9007199254740993'),
      { increment: integer('1') },
      integer('9007199254740994'),
    ],
    ['an integer and a double add up to a double', integer('1'), { increment: double(0.5) }, double(1.5)],
    ['text is replaced', text('x'), { increment: integer('3') }, integer('3')],
    ['nothing becomes the operand', undefined, { maximum: double(2) }, double(2)],
    ['equal numbers keep the stored one', integer('2'), { maximum: double(2) }, integer('2')],
    ['the lesser of an integer and a double', integer('3'), { minimum: double(2.5) }, double(2.5)],
    ['NaN wins', integer('3'), { maximum: double(Number.NaN) }, double(Number.NaN)],
    [
      'a union adds what no element equals, once',
      list(integer('1'), double(Number.NaN)),
      { appendMissingElements: { values: [double(1), double(Number.NaN), text('a'), text('a')] } },
      list(integer('1'), double(Number.NaN), text('a')),
    ],
    [
      'a removal takes every element that is equal',
      list(integer('1'), double(1), text('a')),
      { removeAllFromArray: { values: [integer('1')] } },
      list(text('a')),
    ],
  ])('%s', async (_name, before, transform, after) => {
    expect(await one(before, transform)).toEqual(after);
  });
});
