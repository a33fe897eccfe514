import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createProgressPace } from './progress-pace.ts';

describe('the pace of progress writes', () => {
  it('shows life early, and then is one a second while there is always news', () => {
    const pace = createProgressPace(0);
    const writes: number[] = [];
    for (let now = 0; now < 5000; now += 10) {
      if (now < pace.nextAtMs()) continue;
      pace.wrote(now);
      writes.push(now);
    }
    expect(writes).toEqual([500, 1500, 2500, 3500, 4500]);
  });

  it('makes up for quiet time at half a second apart', () => {
    const pace = createProgressPace(0);
    pace.wrote(10_000);
    expect(pace.nextAtMs()).toBe(10_500);
    pace.wrote(10_500);
    expect(pace.nextAtMs()).toBe(11_000);
  });

  it('never allows two within half a second, nor more than one a second after the first', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(3000), { maxLength: 200 }), (gaps) => {
        const pace = createProgressPace(0);
        let now = 0;
        let last = 0;
        let count = 0;
        for (const gap of gaps) {
          now += gap;
          if (now < pace.nextAtMs()) continue;
          expect(now - last).toBeGreaterThanOrEqual(500);
          pace.wrote(now);
          last = now;
          count += 1;
          expect(count - 1).toBeLessThanOrEqual(now / 1000);
        }
      }),
    );
  });
});
