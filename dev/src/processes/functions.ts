/** The functions of a stack: `apps/functions`, mounted as the Functions runtime mounts it, and what a deployment does first. */
import { FUNCTIONS_REGION, modelCardPath, publishedModelCard, WEBHOOK_FUNCTION } from '@firepod/contract';
import { startFunctionsHost } from '@firepod/local-firebase';
import { deleteApp, initializeApp } from 'firebase-admin/app';
import { getFirestore } from 'firebase-admin/firestore';
import { startCloudScheduler } from '../cloud-scheduler.ts';
import { createConsoleLogger } from '../console-logger.ts';
import { readModelCard } from '../model-card-file.ts';
import { runService } from './run-service.ts';

export interface FunctionsOptions {
  projectId: string;
  host: string;
  /** Folders; what else is named has no card before a worker has loaded it. */
  models: string[];
  ports: { functions: number };
}

await runService(async ({ projectId, host, models, ports }: FunctionsOptions) => {
  const logger = createConsoleLogger();
  const functions = await import('@firepod/functions');
  const [functionsHost] = await Promise.all([
    startFunctionsHost({
      projectId,
      host,
      port: ports.functions,
      functions,
      eventSources: ['FIRESTORE_EMULATOR_HOST', 'FIREBASE_STORAGE_EMULATOR_HOST'].map(
        (name) => `http://${process.env[name]}`,
      ),
      logger,
    }),
    publishModelCards(projectId, models),
  ]);
  // Only now is the port known; functions read their parameters inside handlers, so they see it.
  const path = `${projectId}/${FUNCTIONS_REGION}/${WEBHOOK_FUNCTION}`;
  process.env['FIREPOD_WEBHOOK_URL'] = `http://${host}:${functionsHost.port}/${path}`;
  const scheduler = startCloudScheduler(functionsHost.hosted, logger);
  return {
    ports: { functions: functionsHost.port },
    close: async () => {
      scheduler.close();
      await functionsHost.close();
    },
  };
});

/** Puts the models' cards where functions and the studio look for them, and names them as those whose limits hold. */
async function publishModelCards(projectId: string, models: readonly string[]): Promise<void> {
  const cards = models.map(readModelCard).filter((card) => card !== undefined);
  // A person's FIREPOD_MODEL names folders; to the functions it is the ids of published cards.
  delete process.env['FIREPOD_MODEL'];
  if (cards.length === 0) return;
  process.env['FIREPOD_MODEL'] = cards.map(({ id }) => id).join(',');
  const app = initializeApp({ projectId }, 'publish-model-cards');
  const firestore = getFirestore(app);
  await Promise.all(cards.map((card) => firestore.doc(modelCardPath(card.id)).set(publishedModelCard(card))));
  await deleteApp(app);
}
