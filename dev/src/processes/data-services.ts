/** The data services of a stack: Auth, Firestore and Storage, durable in one folder. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  type CorsRule,
  createPathAccess,
  startAuth,
  startFirestore,
  startStorage,
} from '@firepod/local-firebase';
import { createConsoleLogger } from '../console-logger.ts';
import { runService } from './run-service.ts';

export interface DataServicesOptions {
  projectId: string;
  bucket: string;
  host: string;
  dataFolder: string;
  ports: { auth: number; firestore: number; storage: number };
}

/** What clients may touch until security rules are evaluated; servers are not asked. */
const firestoreAccess = createPathAccess([
  { path: 'generations/{uid}/**', allow: ['read'], to: 'owner' },
  { path: 'generations/{uid}/marks/*', allow: ['read', 'write'], to: 'owner' },
  { path: 'firepod_models/*', allow: ['read'], to: 'signed-in' },
]);
const storageAccess = createPathAccess([
  { path: 'generating/{uid}/**', allow: ['read'], to: 'owner' },
  { path: 'generating/{uid}/source/*', allow: ['read', 'write'], to: 'owner' },
]);

/** As a deployed bucket is set up: pages of any origin may read what is public or what they have a token for. */
const bucketCors: CorsRule[] = JSON.parse(
  readFileSync(new URL('../../../firebase/cors.json', import.meta.url), 'utf8'),
);

await runService(async ({ projectId, bucket, host, dataFolder, ports }: DataServicesOptions) => {
  const logger = createConsoleLogger();
  const [auth, firestore, storage] = await Promise.all([
    startAuth({ projectId, host, port: ports.auth, databaseFile: join(dataFolder, 'auth.db'), logger }),
    startFirestore({
      projectId,
      host,
      port: ports.firestore,
      databaseFile: join(dataFolder, 'firestore.db'),
      access: firestoreAccess,
      logger,
    }),
    startStorage({
      projectId,
      host,
      port: ports.storage,
      dataFolder: join(dataFolder, 'storage'),
      buckets: { [bucket]: { cors: bucketCors } },
      access: storageAccess,
      logger,
    }),
  ]);
  return {
    ports: { auth: auth.port, firestore: firestore.port, storage: storage.port },
    close: async () => {
      await Promise.all([auth.close(), firestore.close(), storage.close()]);
    },
  };
});
