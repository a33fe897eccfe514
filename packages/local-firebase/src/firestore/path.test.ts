import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { formatFieldPath, getField, parseFieldPath, withField } from './field-path.ts';
import type { Fields } from './messages.ts';
import { parseDocumentName, parseResourcePath } from './path.ts';
import { StatusError } from './status.ts';

const root = 'projects/p/databases/(default)/documents';

describe('resource names', () => {
  test('split into database and ids', () => {
    expect(parseDocumentName(`${root}/a b/c:d/é/__id-7__`)).toEqual({
      name: `${root}/a b/c:d/é/__id-7__`,
      database: 'projects/p/databases/(default)',
      segments: ['a b', 'c:d', 'é', '__id-7__'],
    });
    expect(parseResourcePath(root).segments).toEqual([]);
  });

  test.each([
    '',
    'a/b',
    'projects/p/databases/d',
    `${root}/a//b`,
    `${root}/a/.`,
    `${root}/../b`,
    `${root}/a/__x__`,
    `${root}/a`,
  ])('refuse %j as a document', (name) => {
    expect(() => parseDocumentName(name)).toThrow(StatusError);
  });

  test('any text is either a name or an invalid argument', () => {
    const segment = fc.oneof(
      fc.string(),
      fc.constantFrom('projects', 'databases', 'documents', '.', '__x__'),
    );
    fc.assert(
      fc.property(fc.array(segment), (segments) => {
        try {
          const { database, segments: ids } = parseResourcePath(segments.join('/'));
          expect([...database.split('/'), 'documents', ...ids].join('/')).toBe(segments.join('/'));
        } catch (error) {
          expect(error).toMatchObject({ status: 'INVALID_ARGUMENT' });
        }
      }),
    );
  });
});

describe('field paths', () => {
  const segments = fc.array(fc.string({ unit: 'binary', minLength: 1, maxLength: 5 }), {
    minLength: 1,
    maxLength: 4,
  });

  test('come back from their text, whatever is in them', () => {
    fc.assert(
      fc.property(segments, (path) => {
        expect(parseFieldPath(formatFieldPath(path))).toEqual(path);
      }),
      { numRuns: 1000 },
    );
  });

  test.each([
    ['a', ['a']],
    ['a.b.c', ['a', 'b', 'c']],
    ['`a.b`.c', ['a.b', 'c']],
    ['`\\`\\\\`', ['`\\']],
    ['a-b.ü', ['a-b', 'ü']],
  ])('%s is read as %j', (text, path) => {
    expect(parseFieldPath(text)).toEqual(path);
  });

  test.each(['', '.', 'a.', '.a', 'a..b', '`', '`a', '`a`b', '``', '`a\\'])('%j is refused', (text) => {
    expect(() => parseFieldPath(text)).toThrow(StatusError);
  });

  test('what is set is got, what is deleted is gone, and the original stays as it was', () => {
    const original: Fields = {
      a: { mapValue: { fields: { b: { booleanValue: true } } } },
      z: { stringValue: 'z' },
    };
    const before = structuredClone(original);
    fc.assert(
      fc.property(fc.array(fc.constantFrom('a', 'b', 'z'), { minLength: 1, maxLength: 3 }), (path) => {
        const set = withField(original, path, { integerValue: '1' });
        expect(getField(set, path)).toEqual({ integerValue: '1' });
        expect(getField(withField(set, path, undefined), path)).toBeUndefined();
        expect(original).toEqual(before);
      }),
    );
    expect(getField({}, ['constructor'])).toBeUndefined();
    expect(withField({}, ['a', 'b'], undefined)).toEqual({});
  });
});
