/** The data services of a stack: Auth, Firestore and Storage, durable in one folder. */
import { createPublicKey } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  type CorsRule,
  type IndexesFile,
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
  /** Whose signed URLs Storage takes. */
  serviceAccountFile: string;
  ports: { auth: number; firestore: number; storage: number };
}

/** What clients may do: the files that are deployed. Saving one is enough to try it. */
const rulesFile = (name: string) => ({
  file: fileURLToPath(new URL(`../../../firebase/${name}`, import.meta.url)),
});

/** The deployed indexes: a query that would need another one is refused here too, with the entry to add. */
const indexes: IndexesFile = JSON.parse(
  readFileSync(new URL('../../../firebase/firestore.indexes.json', import.meta.url), 'utf8'),
);

/** As a deployed bucket is set up: pages of any origin may read what is public or what they have a token for. */
const bucketCors: CorsRule[] = JSON.parse(
  readFileSync(new URL('../../../firebase/cors.json', import.meta.url), 'utf8'),
);

await runService(
  async ({ projectId, bucket, host, dataFolder, serviceAccountFile, ports }: DataServicesOptions) => {
    const logger = createConsoleLogger();
    const firestore = await startFirestore({
      projectId,
      host,
      port: ports.firestore,
      databaseFile: join(dataFolder, 'firestore.db'),
      rules: rulesFile('firestore.rules'),
      indexes,
      logger,
    });
    const [auth, storage] = await Promise.all([
      startAuth({ projectId, host, port: ports.auth, databaseFile: join(dataFolder, 'auth.db'), logger }),
      startStorage({
        projectId,
        host,
        port: ports.storage,
        dataFolder: join(dataFolder, 'storage'),
        buckets: { [bucket]: { cors: bucketCors } },
        rules: rulesFile('storage.rules'),
        readDocument: firestore.readDocument,
        serviceAccounts: [signerOf(serviceAccountFile)],
        logger,
      }),
    ]);
    return {
      ports: { auth: auth.port, firestore: firestore.port, storage: storage.port },
      close: async () => {
        await Promise.all([auth.close(), firestore.close(), storage.close()]);
      },
    };
  },
);

/** Of the file's key only the public half goes into the service. */
function signerOf(file: string): { clientEmail: string; publicKey: string } {
  const { client_email, private_key } = JSON.parse(readFileSync(file, 'utf8')) as Record<string, string>;
  const publicKey = createPublicKey(private_key ?? '').export({ type: 'spki', format: 'pem' });
  return { clientEmail: client_email ?? '', publicKey: publicKey.toString() };
}
