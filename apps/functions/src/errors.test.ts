import { describeProblems } from '@firepod/contract';
import { logger } from 'firebase-functions';
import { afterEach, expect, test, vi } from 'vitest';
import { FirepodFunctionsError, invalidArgument, toHttpsError } from './errors.ts';

const errorLog = vi.spyOn(logger, 'error').mockReturnValue();
const warnLog = vi.spyOn(logger, 'warn').mockReturnValue();
afterEach(() => vi.clearAllMocks());

test('problems travel as a list beside their sentences', () => {
  const problems = [{ field: 'width', message: 'width: 7 is not allowed; expected a multiple of 8.' }];
  const answer = toHttpsError(invalidArgument(problems));
  expect(answer.code).toBe('invalid-argument');
  expect(answer.message).toBe(describeProblems(problems));
  expect(answer.details).toEqual(problems);
});

test('other errors of ours carry their code beside their details, but not their cause', () => {
  const answer = toHttpsError(
    new FirepodFunctionsError('dispatch_failed', 'The GPU service cannot be reached.', {
      details: { file_uid: 'f-1' },
      cause: new Error('connect ECONNREFUSED 10.0.0.1'),
    }),
  );
  expect(answer.toJSON()).toEqual({
    status: 'UNAVAILABLE',
    message: 'The GPU service cannot be reached.',
    details: { code: 'dispatch_failed', file_uid: 'f-1' },
  });
  expect(errorLog).not.toHaveBeenCalled();
});

test('a defect is logged whole, and the caller learns nothing of it', () => {
  const defect = new TypeError('secret is not a function');
  const answer = toHttpsError(defect);
  expect(answer.toJSON()).toMatchObject({ status: 'INTERNAL', details: { code: 'internal' } });
  expect(answer.message).not.toContain('secret');
  expect(errorLog).toHaveBeenCalledWith(expect.any(String), defect);
});

test('a database that is busy is worth another try', () => {
  const contention = Object.assign(new Error('10 ABORTED: Too much contention on these documents.'), {
    code: 10,
  });
  expect(toHttpsError(contention).toJSON()).toMatchObject({
    status: 'UNAVAILABLE',
    details: { code: 'unavailable' },
  });
  expect(warnLog).toHaveBeenCalledWith(expect.any(String), contention);
});
