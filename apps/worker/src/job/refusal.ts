/** Ends the document of a job whose input is bad, so that its user is told and nobody waits. */
import {
  generationPath,
  isFileUid,
  isUserId,
  jobRecordPath,
  type MediaType,
  type TransitionPolicy,
} from '@firepod/contract';
import type { Firestore } from 'firebase-admin/firestore';
import { generationDocuments, transition } from '../generation/documents.ts';

/**
 * Writes `failed: invalid_argument` to the generation that the input names, if it names one that exists and that no
 * worker holds. The task may be the very thing that is wrong, so both of its possible places are tried.
 * @param input as RunPod delivered it, of any shape
 */
export async function refuseInput(
  firestore: Firestore,
  input: unknown,
  error: string,
  policy: TransitionPolicy,
): Promise<void> {
  const fields = (input ?? {}) as Record<string, unknown>;
  const { user_id: userId, file_uid: fileUid } = fields;
  if (fields['use_cloud_storage'] === false || !isUserId(userId) || !isFileUid(fileUid)) return;
  const record = await firestore.doc(jobRecordPath(fileUid)).get();
  const recordedPath: unknown = record.get('path');
  const paths = (['image', 'video'] satisfies MediaType[]).map((type) =>
    generationPath(userId, type, fileUid),
  );
  for (const path of paths) {
    if (typeof recordedPath === 'string' && recordedPath !== path) continue;
    const documents = generationDocuments(firestore, path, fileUid);
    const { decision } = await transition(
      documents,
      { type: 'refuse', errorCode: 'invalid_argument', error },
      policy,
    );
    if (decision.kind !== 'conflict') return;
  }
}
