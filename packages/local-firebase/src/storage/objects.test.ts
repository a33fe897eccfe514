import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { openDatabase, type SqliteDatabase } from '../database.ts';
import { afterPrefix, ensureObjectName } from './names.ts';
import {
  createObjectIndex,
  type ListQuery,
  type NewObject,
  type ObjectIndex,
  objectsSchema,
} from './objects.ts';

let database: SqliteDatabase;
let index: ObjectIndex;
let now = 1_000_000;

beforeEach(() => {
  now = 1_000_000;
  database = openDatabase(':memory:', objectsSchema, 1);
  index = createObjectIndex(database, () => now);
});
afterEach(() => {
  database.close();
});

function newObject(name: string, bucket = 'bucket'): NewObject {
  return { bucket, name, contentId: `of ${name}`, sizeBytes: 1, md5: '', crc32c: '', fields: {}, acl: [] };
}

function listAll(query: Partial<ListQuery>) {
  const names: string[] = [];
  const prefixes: string[] = [];
  let pageToken: string | undefined;
  do {
    const page = index.list('bucket', {
      prefix: '',
      delimiter: '',
      maxResults: 1000,
      ...query,
      pageToken,
    });
    names.push(...page.objects.map((object) => object.name));
    prefixes.push(...page.prefixes);
    pageToken = page.nextPageToken;
  } while (pageToken !== undefined);
  return { names, prefixes };
}

describe('the index of objects', () => {
  test('gives a higher generation with every write, even when the clock goes back or the object was deleted', () => {
    const first = index.put(newObject('a'), {}).object.generation;
    now -= 500_000;
    const second = index.put(newObject('a'), {}).object.generation;
    index.remove('bucket', 'a', {});
    const third = index.put(newObject('a'), {}).object.generation;
    expect(second).toBeGreaterThan(first);
    expect(third).toBeGreaterThan(second);
  });

  test('says which bytes nothing refers to any more', () => {
    expect(index.put({ ...newObject('a'), contentId: 'old' }, {}).replaced).toBeNull();
    expect(index.put({ ...newObject('a'), contentId: 'new' }, {}).replaced?.contentId).toBe('old');
    expect(index.contentIds()).toEqual(new Set(['new']));
  });

  test('keeps nothing of a write whose companion fails', () => {
    const fail = () => {
      throw new Error('no');
    };
    expect(() => index.put(newObject('a'), {}, fail)).toThrow('no');
    expect(index.find('bucket', 'a')).toBeNull();
  });

  test.each([
    ['generationMatch 0 on an existing object', { generationMatch: 0 }],
    ['generationMatch of another generation', { generationMatch: 5 }],
    ['generationNotMatch of the current one', { generationNotMatch: 1_000_000_000 }],
    ['metagenerationMatch of another one', { metagenerationMatch: 2 }],
    ['metagenerationNotMatch of the current one', { metagenerationNotMatch: 1 }],
  ])('refuses every change under %s', (_name, expected) => {
    index.put(newObject('a'), {});
    const message = /pre-conditions/;
    expect(() => index.put(newObject('a'), expected)).toThrow(message);
    expect(() => index.remove('bucket', 'a', expected)).toThrow(message);
    expect(() => index.change('bucket', 'a', expected, (object) => object)).toThrow(message);
    expect(index.find('bucket', 'a')).toMatchObject({ generation: 1_000_000_000, metageneration: 1 });
  });

  test('lists what a filter over all names would, in the order of UTF-8, in pages of any size', () => {
    const name = fc
      .array(fc.constantFrom('a', 'b', '/', '//', 'é', '😀', '\uffff', ' ', '..'), {
        minLength: 1,
        maxLength: 6,
      })
      .map((parts) => parts.join(''))
      .filter((text) => text !== '..');
    const names = fc.uniqueArray(name, { maxLength: 25 });
    const prefix = fc.oneof(fc.constant(''), name);
    fc.assert(
      fc.property(
        names,
        prefix,
        fc.constantFrom('', '/', '//'),
        fc.integer({ min: 1, max: 7 }),
        (...given) => {
          const [all, start, delimiter, maxResults] = given;
          database.exec('DELETE FROM objects');
          for (const each of all) index.put(newObject(each), {});
          index.put(newObject('a/other-bucket', 'another'), {});

          const matching = all
            .filter((each) => each.startsWith(start))
            .sort((one, other) => {
              return Buffer.compare(Buffer.from(one), Buffer.from(other));
            });
          const folderOf = (each: string) => {
            const at = delimiter === '' ? -1 : each.indexOf(delimiter, start.length);
            return at < 0 ? null : each.slice(0, at + delimiter.length);
          };
          expect(listAll({ prefix: start, delimiter, maxResults })).toEqual({
            names: matching.filter((each) => folderOf(each) === null),
            prefixes: [...new Set(matching.map(folderOf))].filter((folder) => folder !== null),
          });
        },
      ),
    );
  });

  test('begins at startOffset and ends before endOffset', () => {
    for (const name of ['a', 'b', 'c', 'd']) index.put(newObject(name), {});
    expect(listAll({ startOffset: 'b', endOffset: 'd' }).names).toEqual(['b', 'c']);
  });
});

describe('object names', () => {
  test('afterPrefix is above everything with the prefix, and below everything else above the prefix', () => {
    const bytes = (text: string) => Buffer.from(text);
    const text = fc.string({ unit: 'binary' });
    fc.assert(
      fc.property(text, text, (prefix, rest) => {
        const after = afterPrefix(prefix);
        if (after === null) expect(prefix).toMatch(/^\u{10ffff}*$/u);
        else {
          expect(Buffer.compare(bytes(prefix + rest), bytes(after))).toBe(-1);
          const above = Buffer.compare(bytes(rest), bytes(prefix)) > 0;
          if (above && !rest.startsWith(prefix))
            expect(Buffer.compare(bytes(rest), bytes(after))).not.toBe(-1);
        }
      }),
    );
  });

  test.each(['', '.', '..', 'a\nb', 'a\rb', '\ud800', 'x'.repeat(1025), 'é'.repeat(513)])(
    'refuses %j',
    (name) => {
      expect(() => ensureObjectName(name)).toThrow();
    },
  );

  test.each(['a', '../../etc/passwd', 'a//b/', '😀', 'x'.repeat(1024), '%2F', '?q#f'])('takes %j', (name) => {
    expect(() => ensureObjectName(name)).not.toThrow();
  });
});
