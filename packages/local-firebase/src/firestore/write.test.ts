/** One write on one document: preconditions, masks and transforms at their edges. */
import { describe, expect, test } from 'vitest';
import type { Fields, FieldTransform, Value, Write } from './messages.ts';
import type { StoredDocument } from './stored-document.ts';
import { applyTransform } from './transforms.ts';
import { documentSizeBytes } from './values.ts';
import { applyWrite, failedPrecondition } from './write.ts';

const name = 'projects/p/databases/d/documents/a/b';
const stamp = { micros: 1_700_000_000_123_456, version: 7 };
const stored = (fields: Fields): StoredDocument => ({
  name,
  fields,
  createMicros: 1000,
  updateMicros: 2000,
  version: 3,
});
function apply(write: Partial<Write>, before?: StoredDocument) {
  const refusal = failedPrecondition(write as Write, name, before, false);
  if (refusal !== undefined) throw refusal;
  return applyWrite(write as Write, name, before, stamp);
}
const integer = (n: bigint | number): Value => ({ integerValue: String(n) });
const double = (doubleValue: number): Value => ({ doubleValue });

describe('transforms', () => {
  const after = (transform: Omit<FieldTransform, 'fieldPath'>, before?: Value) =>
    applyTransform({ fieldPath: 'f', ...transform }, before, stamp.micros).value;
  const MAX = 2n ** 63n - 1n;

  test('increments saturate at the ends of int64 and turn double with a double', () => {
    expect(after({ increment: integer(1) }, integer(MAX))).toEqual(integer(MAX));
    expect(after({ increment: integer(-2) }, integer(-MAX))).toEqual(integer(-MAX - 1n));
    expect(after({ increment: double(0.5) }, integer(1))).toEqual(double(1.5));
    expect(after({ increment: integer(4) }, { stringValue: 'no number' })).toEqual(integer(4));
    expect(after({ increment: integer(4) })).toEqual(integer(4));
  });

  test('maximum and minimum keep the stored number of two equal ones, and NaN wins', () => {
    expect(after({ maximum: double(3) }, integer(3))).toEqual(integer(3));
    expect(after({ maximum: integer(4) }, integer(3))).toEqual(integer(4));
    expect(after({ minimum: integer(4) }, integer(3))).toEqual(integer(3));
    expect(after({ maximum: double(Number.NaN) }, integer(3))).toEqual(double(Number.NaN));
    expect(after({ minimum: integer(1) }, double(Number.NaN))).toEqual(double(Number.NaN));
  });

  test('array unions and removals compare as the order does: 1 is 1.0 and NaN is NaN', () => {
    const list: Value = { arrayValue: { values: [integer(1), double(Number.NaN), integer(1)] } };
    const given = { values: [double(1), double(Number.NaN), integer(2), integer(2)] };
    expect(after({ appendMissingElements: given }, list)).toEqual({
      arrayValue: { values: [integer(1), double(Number.NaN), integer(1), integer(2)] },
    });
    expect(after({ removeAllFromArray: given }, list)).toEqual({ arrayValue: { values: [] } });
  });

  test('operands that cannot be are invalid arguments', () => {
    const invalid = expect.objectContaining({ status: 'INVALID_ARGUMENT' });
    expect(() => after({ increment: { stringValue: '1' } })).toThrow(invalid);
    expect(() => after({})).toThrow(invalid);
    expect(() => after({ appendMissingElements: { values: [{ arrayValue: {} }] } })).toThrow(invalid);
  });
});

describe('updates', () => {
  test('a mask touches its paths alone: what it names and the document lacks is deleted', () => {
    const before = stored({ a: integer(1), map: { mapValue: { fields: { x: integer(1), y: integer(2) } } } });
    const { after } = apply(
      {
        update: { name, fields: { a: integer(9), map: { mapValue: { fields: { y: integer(5) } } } } },
        updateMask: { fieldPaths: ['map.y', 'map.x'] },
      },
      before,
    );
    expect(after?.fields).toEqual({ a: integer(1), map: { mapValue: { fields: { y: integer(5) } } } });
    expect(after).toMatchObject({ createMicros: 1000, updateMicros: stamp.micros, version: 7 });
  });

  test('timestamps are cut to microseconds and server times to milliseconds', () => {
    const { after, result } = apply({
      update: { name, fields: { at: { timestampValue: { seconds: '5', nanos: 123_456_789 } } } },
      updateTransforms: [{ fieldPath: 'now', setToServerValue: 'REQUEST_TIME' }],
    });
    const now = { timestampValue: { seconds: '1700000000', nanos: 123_000_000 } };
    expect(after?.fields).toEqual({ at: { timestampValue: { seconds: '5', nanos: 123_456_000 } }, now });
    expect(result.transformResults).toEqual([now]);
  });

  test('a write that changes nothing gives back the very document', () => {
    const before = stored({ a: integer(1) });
    expect(apply({ update: { name, fields: { a: integer(1) } } }, before)).toEqual({
      after: before,
      result: { updateTime: { seconds: '0', nanos: 2_000_000 } },
    });
    expect(apply({ update: { name, fields: { a: double(1) } } }, before).after).not.toBe(before);
  });

  test.each<[string, Fields]>([
    ['an array in an array', { a: { arrayValue: { values: [{ arrayValue: {} }] } } }],
    ['a reserved field name', { __a__: integer(1) }],
    ['an empty field name', { '': integer(1) }],
    ['a value without a type', { a: {} as Value }],
    ['a place off the globe', { a: { geoPointValue: { latitude: 91 } } }],
    ['a time beyond the calendar', { a: { timestampValue: { seconds: '253402300800' } } }],
    ['a reference to nowhere', { a: { referenceValue: 'a/b' } }],
    ['a field name of 1501 bytes', { ['é'.repeat(751)]: integer(1) }],
  ])('%s is an invalid argument', (_name, fields) => {
    expect(() => apply({ update: { name, fields } })).toThrow(
      expect.objectContaining({ status: 'INVALID_ARGUMENT' }),
    );
  });

  test('a verify changes nothing and fails when what it says does not hold', () => {
    expect(apply({ verify: name, currentDocument: { exists: false } })).toEqual({
      after: undefined,
      result: {},
    });
    expect(() => apply({ verify: name, currentDocument: { exists: false } }, stored({}))).toThrow(
      'already exists',
    );
  });
});

test('sizes count as the documentation does it', () => {
  // https://firebase.google.com/docs/firestore/storage-size: its example document "users/jeff/tasks/my_task_id" counts 147 bytes.
  const fields: Fields = {
    type: { stringValue: 'Personal' },
    done: { booleanValue: false },
    priority: integer(1),
    description: { stringValue: 'Learn Cloud Firestore' },
  };
  expect(documentSizeBytes('projects/p/databases/d/documents/users/jeff/tasks/my_task_id', fields)).toBe(147);
});
