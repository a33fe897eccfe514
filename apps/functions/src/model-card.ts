/** The published cards of the deployment's models, which narrow the limits of a request. */
import { type ModelCard, modelCardPath, modelCardSchema, type TaskType } from '@firepod/contract';
import type { Firestore } from 'firebase-admin/firestore';
import { log } from './log.ts';

/**
 * The card of the first of these models that has the task; where none has it the first card, which then says what there
 * is. Null where no card is named or published, or where none can be read: then only the contract's limits apply.
 */
export async function readModelCard(
  firestore: Firestore,
  modelIds: readonly string[],
  task: TaskType,
): Promise<ModelCard | null> {
  if (modelIds.length === 0) return null;
  const snapshots = await firestore.getAll(...modelIds.map((id) => firestore.doc(modelCardPath(id))));
  const cards = snapshots.flatMap((snapshot) => {
    if (!snapshot.exists) return [];
    const parsed = modelCardSchema.safeParse(snapshot.data());
    if (parsed.success) return [parsed.data];
    const faults = parsed.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`);
    log.warn({ modelId: snapshot.id, faults }, 'The model card cannot be read; its limits do not apply.');
    return [];
  });
  return cards.find((card) => card.tasks.includes(task)) ?? cards[0] ?? null;
}
