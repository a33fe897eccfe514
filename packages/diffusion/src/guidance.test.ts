import { describe, expect, it } from 'vitest';
import { largestDifference } from '../fixtures/golden.ts';
import { applyGuidance } from './guidance.ts';

describe('applyGuidance', () => {
  const unconditional = Float32Array.of(1, 2, 3, -4);
  const conditional = Float32Array.of(2, 2, 1, 0);

  it('moves from the unconditional through the conditional output', () => {
    expect(applyGuidance(unconditional, conditional, 1, 0)).toEqual(conditional);
    expect(applyGuidance(unconditional, conditional, 3, 0)).toEqual(Float32Array.of(4, 2, -3, 8));
  });

  it('gives the result the deviation of the conditional output when fully rescaled', () => {
    const rescaled = applyGuidance(unconditional, conditional, 3, 1);
    // Deviations: sqrt(11 / 12) of the conditional values, sqrt(251 / 12) of the guided ones.
    const factor = Math.sqrt(11 / 12) / Math.sqrt(251 / 12);
    const expected = [4, 2, -3, 8].map((value) => value * factor);
    expect(largestDifference(rescaled, expected)).toBeLessThan(1e-6);
  });
});
