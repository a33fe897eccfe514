import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseRange, parseUploadRange } from './ranges.ts';

describe('the Range header', () => {
  test.each([
    ['bytes=0-0', 10, { first: 0, last: 0 }],
    ['bytes=2-4', 10, { first: 2, last: 4 }],
    ['bytes=2-', 10, { first: 2, last: 9 }],
    ['bytes=2-99', 10, { first: 2, last: 9 }],
    ['bytes=-3', 10, { first: 7, last: 9 }],
    ['bytes=-99', 10, { first: 0, last: 9 }],
    ['bytes=10-', 10, 'unsatisfiable'],
    ['bytes=-0', 10, 'unsatisfiable'],
    ['bytes=0-', 0, 'unsatisfiable'],
    ['bytes=4-2', 10, 'everything'],
    ['bytes=-', 10, 'everything'],
    ['bytes=0-1,4-5', 10, 'everything'],
    ['items=0-1', 10, 'everything'],
    [undefined, 10, 'everything'],
  ])('%s of %i bytes is %j', (header, sizeBytes, expected) => {
    expect(parseRange(header, sizeBytes)).toEqual(expected);
  });

  test('whatever it says, only bytes that exist are sent', () => {
    const part = fc.oneof(fc.constant(''), fc.nat(50).map(String), fc.string({ maxLength: 4 }));
    fc.assert(
      fc.property(part, part, fc.nat(40), (from, to, sizeBytes) => {
        const range = parseRange(`bytes=${from}-${to}`, sizeBytes);
        if (typeof range === 'string') return;
        expect(range.first).toBeGreaterThanOrEqual(0);
        expect(range.last).toBeGreaterThanOrEqual(range.first);
        expect(range.last).toBeLessThan(sizeBytes);
      }),
    );
  });

  test('a range agrees with slicing the bytes', () => {
    fc.assert(
      fc.property(fc.nat(60), fc.nat(60), fc.integer({ min: 1, max: 40 }), (first, length, sizeBytes) => {
        const bytes = Buffer.from(Array.from({ length: sizeBytes }, (_, index) => index));
        const range = parseRange(`bytes=${first}-${first + length}`, sizeBytes);
        const expected = bytes.subarray(first, first + length + 1);
        if (range === 'unsatisfiable') expect(expected.length).toBe(0);
        else if (range !== 'everything') {
          expect(bytes.subarray(range.first, range.last + 1)).toEqual(expected);
        }
      }),
    );
  });
});

describe('the Content-Range header of an upload', () => {
  test.each([
    [undefined, { kind: 'bytes', start: 0, end: null, total: null }],
    ['bytes 0-*/*', { kind: 'bytes', start: 0, end: null, total: null }],
    ['bytes 7-*/20', { kind: 'bytes', start: 7, end: null, total: 20 }],
    ['bytes 0-9/*', { kind: 'bytes', start: 0, end: 10, total: null }],
    ['bytes 10-19/20', { kind: 'bytes', start: 10, end: 20, total: 20 }],
    ['bytes */*', { kind: 'status', total: null }],
    ['bytes */20', { kind: 'status', total: 20 }],
    ['bytes 5-4/20', null],
    ['bytes 0-9', null],
    ['whatever', null],
  ])('%s reads as %j', (header, expected) => {
    expect(parseUploadRange(header)).toEqual(expected);
  });
});
