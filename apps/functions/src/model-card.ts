/** The published card of the deployment's model, which narrows the limits of a request. */
import { type ModelCard, modelCardPath, modelCardSchema } from '@firepod/contract';
import type { Firestore } from 'firebase-admin/firestore';
import { log } from './log.ts';

/** Null where no card is named or published, or where it cannot be read: then only the contract's limits apply. */
export async function readModelCard(firestore: Firestore, modelId: string | null): Promise<ModelCard | null> {
  if (modelId === null) return null;
  const snapshot = await firestore.doc(modelCardPath(modelId)).get();
  if (!snapshot.exists) return null;
  const parsed = modelCardSchema.safeParse(snapshot.data());
  if (parsed.success) return parsed.data;
  const faults = parsed.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`);
  log.warn({ modelId, faults }, 'The model card cannot be read; only the limits of the contract apply.');
  return null;
}
