import { describe, expect, it } from 'vitest';
import { withdrawalCode } from './withdrawal.ts';

describe('a job that RunPod withdraws', () => {
  it('has timed out when it ran as long as its kind may, though its handler began a moment late', () => {
    expect(withdrawalCode('image', 599_900)).toBe('timeout');
    expect(withdrawalCode('image', 650_000)).toBe('timeout');
    expect(withdrawalCode('video', 3_599_000)).toBe('timeout');
  });

  it('was cancelled when it ran for less', () => {
    expect(withdrawalCode('image', 0)).toBe('cancelled');
    expect(withdrawalCode('image', 590_000)).toBe('cancelled');
    expect(withdrawalCode('video', 650_000)).toBe('cancelled');
  });
});
