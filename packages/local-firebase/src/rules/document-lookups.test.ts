import { expect, test } from 'vitest';
import { createDocumentLookups } from './document-lookups.ts';
import { LimitError } from './evaluator.ts';
import { EvaluationError, pathOf } from './values.ts';

const asked: string[] = [];
const readers = {
  before(name: string) {
    asked.push(name);
    return { name, fields: { when: { stringValue: 'before' } } };
  },
  after: (name: string) => ({ name, fields: { when: { stringValue: 'after' } } }),
};
const pathTo = (id: string | number) => pathOf(['databases', '(default)', 'documents', 'things', String(id)]);

test('one operation looks up ten documents, one request twenty, and repeated ones are free', () => {
  const lookups = createDocumentLookups('p', readers);
  for (const operation of [0, 1]) {
    const document = lookups.forOperation();
    for (let id = 0; id < 10; id++) {
      document(pathTo(operation * 10 + id), false);
      document(pathTo(operation * 10), false);
    }
    expect(() => document(pathTo(operation * 10 + 10), false)).toThrow(LimitError);
  }
  const third = lookups.forOperation();
  third(pathTo(5), false);
  expect(() => third(pathTo(99), false)).toThrow(LimitError);
  expect(new Set(asked).size).toBe(asked.length);
});

test('a document before and after the request are two', () => {
  const document = createDocumentLookups('p', readers).forOperation();
  const whenOf = (isAfter: boolean) => {
    const resource = document(pathTo('a'), isAfter) as ReadonlyMap<string, ReadonlyMap<string, unknown>>;
    return resource.get('data')?.get('when');
  };
  expect([whenOf(false), whenOf(true)]).toEqual(['before', 'after']);
});

test('what is no path of a document is an error', () => {
  const document = createDocumentLookups('p', readers).forOperation();
  for (const path of [
    [],
    ['things', 'a'],
    ['databases', '(default)', 'documents'],
    ['databases', '(default)', 'documents', 'things'],
    ['databases', '(default)', 'documents', 'things', ''],
    ['databases', '(default)', 'documents', 'things', 'a/b'],
  ]) {
    expect(() => document(pathOf(path), false)).toThrow(EvaluationError);
  }
});
