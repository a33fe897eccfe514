import { FirebaseError } from 'firebase/app';
import { expect, test } from 'vitest';
import { fromFirestoreError } from './firebase-errors.ts';

test.each([
  ['permission-denied', 'permission_denied', false],
  ['unauthenticated', 'signed_out', false],
  ['unavailable', 'unavailable', true],
  ['deadline-exceeded', 'unavailable', true],
  ['cancelled', 'aborted', true],
  ['failed-precondition', 'internal', true],
])('a listener that ends with %s is told as %s in words of ours', (code, expected, retryable) => {
  const thrown = new FirebaseError(
    code,
    'The query requires an index: https://console.firebase.google.com/x',
  );
  const error = fromFirestoreError(thrown);
  expect(error).toMatchObject({ code: expected, retryable, cause: thrown });
  expect(error.message).toMatch(/^[A-Z].*\.$/);
  expect(error.message).not.toContain('console');
});
