/** Errors of the Firebase SDKs as ours. Codes decide, never messages: the SDK adds the HTTP status to those. */
import type { Problem } from '@firepod/contract';
import { FirepodError, type FirepodErrorCode, isFirepodErrorCode } from './errors.ts';

/** Codes of our functions (`details.code`) that the app knows by another name. */
const CODES_OF_FUNCTIONS: Readonly<Record<string, FirepodErrorCode>> = {
  unauthenticated: 'signed_out',
  settings_invalid: 'not_set_up',
};

/**
 * What a code of the SDK means where our function did not say more. Then it was not our function that answered:
 * `not-found` is a function that is not deployed, `internal` a reply that never came or was none of ours.
 */
const CODES_OF_FIREBASE: Readonly<Record<string, FirepodErrorCode>> = {
  cancelled: 'aborted',
  'invalid-argument': 'invalid_argument',
  'not-found': 'not_set_up',
  'permission-denied': 'permission_denied',
  'resource-exhausted': 'quota_exceeded',
  'failed-precondition': 'not_set_up',
  unauthenticated: 'signed_out',
};

/** The error of a callable, whatever was thrown. */
export function fromFunctionsError(thrown: unknown): FirepodError {
  const { details } = thrown as { details?: unknown };
  const problems = problemsOf(details);
  if (problems.length > 0) {
    return new FirepodError('invalid_argument', sentenceOf(thrown), { cause: thrown, problems });
  }
  const named = (details as { code?: unknown } | null | undefined)?.code;
  const code = typeof named === 'string' ? (CODES_OF_FUNCTIONS[named] ?? named) : undefined;
  // Our functions' messages are sentences for people; others are replaced by the code's own.
  if (isFirepodErrorCode(code)) return new FirepodError(code, sentenceOf(thrown), { cause: thrown });
  return new FirepodError(CODES_OF_FIREBASE[firebaseCode(thrown)] ?? 'unavailable', '', { cause: thrown });
}

/** The error of a listener, whatever was thrown. */
export function fromFirestoreError(thrown: unknown): FirepodError {
  const code = firebaseCode(thrown);
  if (code === 'permission-denied') return new FirepodError('permission_denied', '', { cause: thrown });
  if (code === 'unauthenticated') return new FirepodError('signed_out', '', { cause: thrown });
  if (code === 'unavailable' || code === 'deadline-exceeded') {
    return new FirepodError('unavailable', '', { cause: thrown });
  }
  if (code === 'aborted' || code === 'cancelled') return new FirepodError('aborted', '', { cause: thrown });
  // For example failed-precondition: an index is missing. The SDK's message says which, and a developer finds it in the
  // cause; a user is told nothing of consoles and indexes.
  return new FirepodError('internal', '', { cause: thrown });
}

/** `not-found` of `functions/not-found`. */
function firebaseCode(thrown: unknown): string {
  const { code } = thrown as { code?: unknown };
  return typeof code === 'string' ? code.replace(/^.*\//, '') : '';
}

/** The message as the function wrote it: firebase 12.19 appends the HTTP status, `… [400]`. */
function sentenceOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message.replace(/ \[\d+\]$/, '') : '';
}

function problemsOf(details: unknown): Problem[] {
  return Array.isArray(details) ? details.filter(isProblem) : [];
}

function isProblem(value: unknown): value is Problem {
  const { field, message } = (value ?? {}) as Partial<Problem>;
  return typeof field === 'string' && typeof message === 'string';
}
