/** The door to Firebase: one app with the service account's credentials, and what the worker uses of it. */
import { cert, deleteApp, initializeApp } from 'firebase-admin/app';
import { type Firestore, getFirestore } from 'firebase-admin/firestore';
import { getStorage } from 'firebase-admin/storage';
import type { ServiceAccount } from './service-account.ts';
import type { Bucket } from './storage/media-store.ts';

/** Firebase as the worker knows it. */
export interface Firebase {
  firestore: Firestore;
  bucket: Bucket;
  /** Ends all connections. */
  close(): Promise<void>;
}

/**
 * Connects to the account's project. The SDK itself reads FIRESTORE_EMULATOR_HOST and FIREBASE_STORAGE_EMULATOR_HOST.
 * @param appName tells several connections of one process apart
 */
export function connectFirebase(serviceAccount: ServiceAccount, bucket: string, appName?: string): Firebase {
  const { projectId } = serviceAccount;
  const app = initializeApp({ credential: cert(serviceAccount), projectId, storageBucket: bucket }, appName);
  return {
    firestore: getFirestore(app),
    bucket: getStorage(app).bucket(),
    close: () => deleteApp(app),
  };
}
