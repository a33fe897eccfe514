import { expect, test } from 'vitest';
import { completed, failed, processing, queued } from '../test/generations.ts';
import { announcementsOf } from './announcements.ts';

test('what the page opens with is no news', () => {
  expect(announcementsOf(undefined, [queued('a cat')])).toEqual([]);
});

test('each change of state is told once, the oldest first, and progress is not', () => {
  const before = [queued('a fox'), queued('a cat'), processing('a dog'), completed('a pig', {})];
  const now = [
    queued('an owl'),
    processing('a fox'),
    failed('a cat', 'cancelled', 'The generation was cancelled.'),
    processing('a dog', { preview: 'data:image/webp;base64,AA==' }),
    completed('a pig', {}),
  ];
  expect(announcementsOf(before, now)).toEqual([
    '“a cat” was cancelled.',
    '“a fox” is being painted.',
    '“an owl” is queued.',
  ]);
  expect(announcementsOf(now, now)).toEqual([]);
});

test('a failure is told with its reason', () => {
  expect(announcementsOf([processing('a cat')], [failed('a cat', 'timeout', 'It took too long.')])).toEqual([
    '“a cat” failed. It took too long.',
  ]);
});
