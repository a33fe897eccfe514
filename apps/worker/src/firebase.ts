/** The door to Firebase: one app with the service account's credentials, and what the worker uses of it. */
import { setTimeout as pause } from 'node:timers/promises';
import { LIMITS_PATH } from '@firepod/contract';
import type { Logger } from '@firepod/runpod/worker';
import { cert, deleteApp, initializeApp } from 'firebase-admin/app';
import { type Firestore, getFirestore } from 'firebase-admin/firestore';
import { getStorage } from 'firebase-admin/storage';
import { describeThrown } from './errors.ts';
import type { ServiceAccount } from './service-account.ts';
import type { Bucket } from './storage/media-store.ts';

/** A call that takes longer than this is not waited for. */
const WARM_UP_MS = 5000;

/** Firebase as the worker knows it. */
export interface Firebase {
  firestore: Firestore;
  bucket: Bucket;
  /**
   * Makes one call, so that the SDK loads its transport and connects while the model is still loading. A Firebase that
   * cannot be reached yet is no reason not to start.
   */
  warmUp(logger: Logger): Promise<void>;
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
  const firestore = getFirestore(app);
  return {
    firestore,
    bucket: getStorage(app).bucket(),
    async warmUp(logger) {
      const call = firestore.doc(LIMITS_PATH).get();
      const tooSlow = pause(WARM_UP_MS, 'too slow', { ref: false });
      try {
        if ((await Promise.race([call, tooSlow])) === 'too slow')
          logger.warn({}, 'Firestore does not answer yet.');
      } catch (error) {
        logger.warn({}, `Firestore cannot be reached yet: ${describeThrown(error)}`);
      }
    },
    close: () => deleteApp(app),
  };
}
