import { expect, test } from 'vitest';
import { peakSignalToNoiseDb } from './likeness.ts';

test('the same bytes are alike without bound', () => {
  expect(peakSignalToNoiseDb(Uint8Array.of(1, 2, 3), Uint8Array.of(1, 2, 3))).toBe(Infinity);
});

test('a difference of one everywhere is 48.13 dB', () => {
  expect(peakSignalToNoiseDb(Uint8Array.of(10, 20), Uint8Array.of(11, 19))).toBeCloseTo(48.1308, 4);
});

test('black beside white is 0 dB', () => {
  expect(peakSignalToNoiseDb(Uint8Array.of(0, 0), Uint8Array.of(255, 255))).toBe(0);
});

test('pictures of different sizes are not compared', () => {
  expect(() => peakSignalToNoiseDb(Uint8Array.of(1), Uint8Array.of(1, 2))).toThrow('1 and 2 bytes');
});
