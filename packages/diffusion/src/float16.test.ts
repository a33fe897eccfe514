import { describe, expect, it } from 'vitest';
import { fromHalf, toHalf } from './float16.ts';

describe('float16', () => {
  it('gives every half value back unchanged', () => {
    const all = Uint16Array.from({ length: 65536 }, (_, half) => half);
    const values = fromHalf(all);
    const back = toHalf(values);
    const changed = all.filter((half, index) => !Number.isNaN(values[index]) && back[index] !== half);
    expect(changed).toHaveLength(0);
    expect(values.filter(Number.isNaN)).toHaveLength(2046);
  });

  it.each([
    [1 + 2 ** -11, 1], // half-way: to even
    [1 + 3 * 2 ** -11, 1 + 2 ** -9],
    [1 + 2 ** -11 + 2 ** -20, 1 + 2 ** -10],
    [65519, 65504],
    [65520, Number.POSITIVE_INFINITY],
    [1e9, Number.POSITIVE_INFINITY],
    [2 ** -25, 0],
    [2 ** -24 * 1.5, 2 ** -23],
    [-(2 ** -14) + 2 ** -26, -(2 ** -14)],
    [-0.1, -0.0999755859375],
  ])('rounds %d to %d', (value, expected) => {
    expect(fromHalf(toHalf([value]))[0]).toBe(expected);
  });
});
