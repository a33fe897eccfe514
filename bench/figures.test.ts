import { expect, test } from 'vitest';
import { comparedTable, figuresOf, significant } from './figures.ts';

test('the median of an even count lies between the two in the middle, whatever their order', () => {
  expect(figuresOf([4, 1, 3, 2])).toEqual({ median: 2.5, min: 1, max: 4, count: 4 });
  expect(figuresOf([30, 4, 200])).toEqual({ median: 30, min: 4, max: 200, count: 3 });
});

test('nothing measured is no figure', () => {
  expect(() => figuresOf([])).toThrow('no samples');
});

test('a row shows both sides and ours over theirs', () => {
  const row = {
    what: 'start',
    unit: 'ms',
    ours: figuresOf([100, 120]),
    peer: figuresOf([1000]),
    goal: '≤ 0.25',
  };
  expect(comparedTable('ours', 'theirs', [row]).split('\n')[2]).toBe(
    '| start (ms) | 110 (100 – 120, n 2) | 1000 | **0.11×** | ≤ 0.25 |',
  );
});

test('numbers keep three digits and no exponent', () => {
  expect([0.000123456, 12345.6, 1.2].map(significant)).toEqual(['0.000123', '12300', '1.2']);
});
