/** Tells the studio and the functions what this worker's model can do. */
import { type ModelCard, modelCardPath, publishedModelCard } from '@firepod/contract';
import type { Logger } from '@firepod/runpod/worker';
import type { Firestore } from 'firebase-admin/firestore';
import { describeThrown } from './errors.ts';

/** Writes `firepod_models/{id}`. A worker that cannot publish its card can still paint, so a failure is only logged. */
export async function publishModelCard(firestore: Firestore, card: ModelCard, logger: Logger): Promise<void> {
  try {
    await firestore.doc(modelCardPath(card.id)).set(publishedModelCard(card));
    logger.info({ model: card.id }, 'Published the model card.');
  } catch (error) {
    logger.warn({ model: card.id }, `The model card could not be published: ${describeThrown(error)}`);
  }
}
