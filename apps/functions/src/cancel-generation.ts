/** A user no longer wants a generation: the document is failed first, then RunPod is told. */
import {
  type CancelResult,
  generationPath,
  isFileUid,
  isUserId,
  type MediaType,
  type Problem,
  shorten,
} from '@firepod/contract';
import { FirepodFunctionsError, invalidArgument } from './errors.ts';
import type { FunctionContext } from './function-context.ts';
import type { GenerationLocation } from './generation-store.ts';
import { performEffect } from './job-dispatch.ts';
import { log } from './log.ts';

/**
 * Cancels a generation of the signed-in user; `data` is `{file_uid, media_type}`.
 *
 * @throws {FirepodFunctionsError} `invalid_argument` or `not_found` (also for another user's generation)
 */
export async function cancelGeneration(
  context: FunctionContext,
  userId: string,
  data: unknown,
): Promise<CancelResult> {
  const location = readLocation(userId, data);
  const result = await context.store.transition(location, { type: 'cancel' });
  const { decision, document } = result;
  await performEffect(context, location, result);
  switch (decision.kind) {
    case 'write':
      log.info({ fileUid: location.fileUid, userId }, 'A generation was cancelled.');
      return { cancelled: true, status: 'failed' };
    case 'settled':
      return { cancelled: document?.['error_code'] === 'cancelled', status: decision.status };
    default:
      throw new FirepodFunctionsError('not_found', `There is no generation ${location.fileUid} of yours.`);
  }
}

function readLocation(userId: string, data: unknown): GenerationLocation {
  const { file_uid: fileUid, media_type: mediaType } = (data ?? {}) as Record<string, unknown>;
  const problems: Problem[] = [];
  const expect = (isGood: boolean, field: string, value: unknown, expected: string) => {
    const found = value === undefined ? 'is missing' : `${shorten(value)} is not allowed`;
    if (!isGood) problems.push({ field, message: `${field}: ${found}; expected ${expected}.` });
  };
  expect(isFileUid(fileUid), 'file_uid', fileUid, '1 to 128 letters, digits or "-"');
  expect(mediaType === 'image' || mediaType === 'video', 'media_type', mediaType, 'image or video');
  if (problems.length > 0) throw invalidArgument(problems);
  if (!isUserId(userId))
    throw new FirepodFunctionsError('not_found', 'This account can have no generations.');
  return {
    path: generationPath(userId, mediaType as MediaType, fileUid as string),
    fileUid: fileUid as string,
  };
}
