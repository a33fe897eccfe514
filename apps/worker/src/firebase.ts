/** The door to Firebase: one app with the service account's credentials, and what the worker uses of it. */
import { setTimeout as pause } from 'node:timers/promises';
import type { Logger } from '@firepod/runpod/worker';
import { cert, deleteApp, initializeApp } from 'firebase-admin/app';
import { type Firestore, getFirestore } from 'firebase-admin/firestore';
import { getStorage } from 'firebase-admin/storage';
import { describeThrown, WorkerError } from './errors.ts';
import { checkFirebaseAccess } from './firebase-access.ts';
import type { ServiceAccount } from './service-account.ts';
import type { Bucket } from './storage/media-store.ts';

/** Firestore's SDK asks three times before it tells of a refusal that came without headers: up to 9 seconds (measured 7.7). */
const ACCESS_CHECK_MS = 15_000;

/** Firebase as the worker knows it. */
export interface Firebase {
  firestore: Firestore;
  bucket: Bucket;
  /**
   * Proves that the account may do what a job needs; the SDK loads its transport and connects meanwhile, so it is best
   * called while the model is still loading. A Firebase that cannot be reached yet is no reason not to start.
   * @throws WorkerError `environment_invalid` when Google refuses, with a sentence that says what to do
   */
  checkAccess(logger: Logger): Promise<void>;
  /** Ends all connections. */
  close(): Promise<void>;
}

/**
 * Connects to the account's project. The SDK itself reads FIRESTORE_EMULATOR_HOST and FIREBASE_STORAGE_EMULATOR_HOST.
 *
 * Over gRPC and not `preferRest`: from start to the first document both take as long, because the model loads meanwhile
 * (2.94 s and 2.86 s side by side on two busy cores; by the medians of 7 and 6 runs REST saves 0.1 s of 1.05 s CPU time
 * and 8 of 141 MB), but over REST the SDK tries a create that was refused with 409 again, for more than 8 seconds.
 *
 * @param appName tells several connections of one process apart
 */
export function connectFirebase(serviceAccount: ServiceAccount, bucket: string, appName?: string): Firebase {
  const { projectId, clientEmail } = serviceAccount;
  const app = initializeApp({ credential: cert(serviceAccount), projectId, storageBucket: bucket }, appName);
  const firestore = getFirestore(app);
  const ourBucket = getStorage(app).bucket();
  return {
    firestore,
    bucket: ourBucket,
    async checkAccess(logger) {
      const check = checkFirebaseAccess({ firestore, bucket: ourBucket, projectId, clientEmail });
      const tooSlow = pause(ACCESS_CHECK_MS, 'too slow', { ref: false });
      try {
        if ((await Promise.race([check, tooSlow])) === 'too slow')
          logger.warn({}, 'Firebase does not answer yet.');
      } catch (error) {
        if (error instanceof WorkerError) throw error;
        logger.warn({}, `Firebase cannot be reached yet: ${describeThrown(error)}`);
      }
    },
    close: () => deleteApp(app),
  };
}
