/** A real Firestore and Storage in this process, and firebase-admin connected to them as the worker is. */
import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type BucketSettings, startFirestore, startStorage } from '@firepod/local-firebase';
import { connectFirebase, type Firebase } from '../src/firebase.ts';
import type { ServiceAccount } from '../src/service-account.ts';

const PROJECT_ID = 'demo-firepod';
export const BUCKET = 'demo-firepod.firebasestorage.app';

/** A running local Firebase. */
export interface TestFirebase extends Firebase {
  /** Variables under which another process finds it. */
  readonly environment: Record<string, string>;
  readonly storageHost: string;
  configureBucket(settings: BucketSettings): void;
  /** Names of all objects in the bucket, sorted. */
  objectNames(): Promise<string[]>;
}

/** Starts both services with empty data, and points this process's Firebase SDK to them. */
export async function startTestFirebase(): Promise<TestFirebase> {
  const folder = await mkdtemp(join(tmpdir(), 'firepod-worker-'));
  const firestoreServer = await startFirestore({
    projectId: PROJECT_ID,
    databaseFile: join(folder, 'firestore.db'),
  });
  const storageServer = await startStorage({
    port: 0,
    projectId: PROJECT_ID,
    dataFolder: join(folder, 'storage'),
    buckets: { [BUCKET]: {} },
  });
  const storageHost = `127.0.0.1:${storageServer.port}`;
  const hosts = {
    FIRESTORE_EMULATOR_HOST: `127.0.0.1:${firestoreServer.port}`,
    FIREBASE_STORAGE_EMULATOR_HOST: storageHost,
  };
  Object.assign(process.env, hosts);
  const account = createServiceAccount();
  const firebase = connectFirebase(account, BUCKET, randomUUID());
  return {
    ...firebase,
    storageHost,
    environment: {
      ...hosts,
      FIREBASE_STORAGE_BUCKET: BUCKET,
      FIREBASE_SERVICE_ACCOUNT_KEY: serviceAccountJson(account),
    },
    configureBucket: (settings) => storageServer.configureBucket(BUCKET, settings),
    async objectNames() {
      const [files] = await firebase.bucket.getFiles();
      return files.map((file) => file.name).sort();
    },
    async close() {
      await firebase.close();
      await Promise.all([firestoreServer.close(), storageServer.close()]);
      await rm(folder, { recursive: true });
    },
  };
}

/** An account with a key of its own; nobody outside this machine knows it. */
export function createServiceAccount(): ServiceAccount {
  const { privateKey } = generateKeyPairSync('rsa', {
    modulusLength: 2048,
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
    publicKeyEncoding: { type: 'spki', format: 'pem' },
  });
  const clientEmail = `worker@${PROJECT_ID}.iam.gserviceaccount.com`;
  return { projectId: PROJECT_ID, clientEmail, privateKey };
}

/** The account as the Firebase console's download has it. */
export function serviceAccountJson({ projectId, clientEmail, privateKey }: ServiceAccount): string {
  return JSON.stringify({ project_id: projectId, client_email: clientEmail, private_key: privateKey });
}
