import { expect, test } from 'vitest';
import { areaOf, clampArea, fitWithin, namedAreas } from './mask-marks.ts';

const size = { widthPx: 101, heightPx: 60 };

test('two halves are the whole picture, and meet without a gap or an overlap', () => {
  const [all, left, right, top, bottom] = namedAreas.map((name) => areaOf(name, size));
  expect(all).toEqual({ left: 0, top: 0, width: 101, height: 60 });
  expect(left).toEqual({ left: 0, top: 0, width: 51, height: 60 });
  expect(right).toEqual({ left: 51, top: 0, width: 50, height: 60 });
  expect(top).toEqual({ left: 0, top: 0, width: 101, height: 30 });
  expect(bottom).toEqual({ left: 0, top: 30, width: 101, height: 30 });
});

test('of a rectangle the part on the picture is left, and nothing of one beside it or of no number', () => {
  expect(clampArea({ left: 90, top: -10, width: 50, height: 30 }, size)).toEqual({
    left: 90,
    top: 0,
    width: 11,
    height: 20,
  });
  expect(clampArea({ left: 101, top: 0, width: 5, height: 5 }, size)).toBeNull();
  expect(clampArea({ left: 0, top: 0, width: 0, height: 5 }, size)).toBeNull();
  expect(clampArea({ left: Number.NaN, top: 0, width: 5, height: 5 }, size)).toBeNull();
});

test('a large picture is drawn on small with its proportions, and a small one as it is', () => {
  expect(fitWithin({ widthPx: 4000, heightPx: 3000 }, 768)).toEqual({ widthPx: 768, heightPx: 576 });
  expect(fitWithin({ widthPx: 8000, heightPx: 1 }, 768)).toEqual({ widthPx: 768, heightPx: 1 });
  expect(fitWithin(size, 768)).toEqual(size);
});
