import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createProgressMeter } from './progress-meter.ts';

describe('the progress of a generation', () => {
  it('goes through the phases with the steps that were denoised', () => {
    let now = 0;
    const meter = createProgressMeter(() => now);
    expect(meter.begin('loading')).toMatchObject({ phase: 'loading', percent: 0 });
    expect(meter.step({ phase: 'encoding', step: 1, steps: 1 })).toMatchObject({ step: 0, percent: 4 });
    now = 1000;
    expect(meter.step({ phase: 'denoising', step: 1, steps: 10 })).toMatchObject({ step: 1, percent: 12 });
    now = 1500;
    expect(meter.step({ phase: 'denoising', step: 2, steps: 10 })).toEqual({
      phase: 'denoising',
      step: 2,
      steps: 10,
      percent: 21,
      eta_seconds: 4,
    });
    now = 5500;
    expect(meter.step({ phase: 'denoising', step: 10, steps: 10 })).toMatchObject({
      percent: 90,
      eta_seconds: 0,
    });
    expect(meter.step({ phase: 'decoding', step: 1, steps: 2 })).toMatchObject({
      step: 10,
      steps: 10,
      percent: 92,
    });
    expect(meter.begin('uploading')).toMatchObject({ phase: 'uploading', percent: 95, eta_seconds: null });
  });

  it('never falls and stays within 0 and 100, whatever an engine reports', () => {
    const phase = fc.constantFrom('encoding' as const, 'denoising' as const, 'decoding' as const);
    const step = fc.record({
      phase,
      steps: fc.integer({ min: 0, max: 50 }),
      share: fc.double({ min: 0, max: 1, noNaN: true }),
    });
    fc.assert(
      fc.property(fc.array(step), (steps) => {
        const meter = createProgressMeter(() => 0);
        let last = 0;
        for (const { phase: at, steps: all, share } of steps) {
          const { percent } = meter.step({ phase: at, step: Math.floor(share * all), steps: all });
          expect(percent).toBeGreaterThanOrEqual(last);
          expect(percent).toBeLessThanOrEqual(100);
          last = percent;
        }
      }),
    );
  });
});
