/** Generations as functions and guides write them, for tests. */
import { randomUUID } from 'node:crypto';
import {
  createJobInput,
  DEFAULT_POLICY,
  generationPath,
  type NewGeneration,
  type TransitionPolicy,
} from '@firepod/contract';
import type { DocumentReference, Firestore } from 'firebase-admin/firestore';
import { generationDocuments, transition } from '../src/generation/documents.ts';

/** Leases short enough to be waited for. */
export const QUICK_POLICY: TransitionPolicy = { ...DEFAULT_POLICY, leaseSeconds: 1, claimRetryMs: 50 };

/** A new image generation of the user `ada`. */
export function newGeneration(fileUid: string = randomUUID(), prompt = 'a fox'): NewGeneration {
  const userId = 'ada';
  return {
    path: generationPath(userId, 'image', fileUid),
    userId,
    fileUid,
    task: 'text2img',
    requestData: { prompt },
    promptWords: prompt.split(' '),
    parent: null,
    input: createJobInput({ prompt }, { userId, fileUid, seed: 7 }),
  };
}

/** Writes the queued document and its record as the function `submitGeneration` does. */
export async function submit(firestore: Firestore, generation: NewGeneration): Promise<DocumentReference> {
  const documents = generationDocuments(firestore, generation.path, generation.fileUid);
  await transition(documents, { type: 'submit', generation }, DEFAULT_POLICY);
  return documents.document;
}

/** Writes `failed: cancelled` as the function `cancelGeneration` does. */
export async function cancel(firestore: Firestore, { path, fileUid }: NewGeneration): Promise<void> {
  await transition(generationDocuments(firestore, path, fileUid), { type: 'cancel' }, DEFAULT_POLICY);
}
