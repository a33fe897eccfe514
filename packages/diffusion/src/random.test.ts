import { describe, expect, it } from 'vitest';
import { golden, goldenTensor, largestDifference } from '../fixtures/golden.ts';
import { createNoiseGenerator } from './random.ts';

describe('createNoiseGenerator', () => {
  it.each(golden.noise)(
    'draws what torch.randn draws for seed $seed, over calls of mixed sizes',
    ({ seed, sizes }) => {
      const generator = createNoiseGenerator(seed);
      for (const [index, size] of sizes.entries()) {
        const expected = goldenTensor(`noise.${seed}.${index}`).data;
        // torch's AVX2 log, sin and cos are polynomials: up to one unit in the last place of values near 4.
        expect(largestDifference(generator.normal(size), expected)).toBeLessThan(6e-7);
      }
    },
  );

  it('keeps the low 32 bits of a seed, as torch does', () => {
    expect(createNoiseGenerator(2 ** 32 + 5).normal(32)).toEqual(createNoiseGenerator(5).normal(32));
  });

  it('gives noise of mean 0 and deviation 1', () => {
    const noise = createNoiseGenerator(123).normal(100_000);
    const mean = noise.reduce((sum, value) => sum + value, 0) / noise.length;
    const variance = noise.reduce((sum, value) => sum + (value - mean) ** 2, 0) / noise.length;
    expect(Math.abs(mean)).toBeLessThan(0.01);
    expect(Math.abs(variance - 1)).toBeLessThan(0.02);
  });
});
