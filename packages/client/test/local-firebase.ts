/** Auth and Firestore on this machine for one test file, with the real SDKs of an app and of a server connected to them. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createPathAccess, startAuth, startFirestore } from '@firepod/local-firebase';
import { deleteApp, initializeApp } from 'firebase/app';
import { connectAuthEmulator, initializeAuth, inMemoryPersistence, signInAnonymously } from 'firebase/auth';
import { connectFirestoreEmulator, getFirestore, setLogLevel } from 'firebase/firestore';
import { connectFunctionsEmulator, getFunctions } from 'firebase/functions';
import { deleteApp as deleteAdminApp, initializeApp as initializeAdminApp } from 'firebase-admin/app';
import { getFirestore as getAdminFirestore } from 'firebase-admin/firestore';
import { vi } from 'vitest';

// The SDK prints every refusal, and tests provoke some.
setLogLevel('silent');

const PROJECT_ID = 'demo-client';

/** What one signed-in app holds. */
export type ConnectedApp = Awaited<ReturnType<LocalFirebase['connect']>>;

export type LocalFirebase = Awaited<ReturnType<typeof startLocalFirebase>>;

/** Waits until it is true, for as long as a busy machine may need. */
export function eventually(condition: () => boolean): Promise<boolean> {
  return vi.waitUntil(condition, { timeout: 15_000, interval: 20 });
}

/** `functionsPort`: where a functions host listens, for tests that call functions. */
export async function startLocalFirebase(options: { functionsPort?: number } = {}) {
  const folder = await mkdtemp(join(tmpdir(), 'firepod-client-'));
  const authServer = await startAuth({
    port: 0,
    projectId: PROJECT_ID,
    databaseFile: join(folder, 'auth.db'),
  });
  const firestoreServer = await startFirestore({
    projectId: PROJECT_ID,
    databaseFile: join(folder, 'firestore.db'),
    access: createPathAccess([{ path: 'generations/{uid}/**', allow: ['read'], to: 'owner' }]),
  });
  process.env['FIRESTORE_EMULATOR_HOST'] = `${firestoreServer.host}:${firestoreServer.port}`;
  process.env['FIREBASE_AUTH_EMULATOR_HOST'] = `${authServer.host}:${authServer.port}`;
  process.env['GCLOUD_PROJECT'] = PROJECT_ID;
  const adminApp = initializeAdminApp({ projectId: PROJECT_ID }, 'test');
  const close: (() => Promise<unknown>)[] = [];

  return {
    projectId: PROJECT_ID,
    /** The Admin SDK's Firestore, which plays functions and worker. */
    adminFirestore: getAdminFirestore(adminApp),
    /** A new app with a user of its own, signed in unless told otherwise. */
    async connect({ isSignedIn = true } = {}) {
      const app = initializeApp({ apiKey: 'local', projectId: PROJECT_ID }, `app-${close.length}`);
      close.push(() => deleteApp(app));
      const auth = initializeAuth(app, { persistence: inMemoryPersistence });
      connectAuthEmulator(auth, authServer.url, { disableWarnings: true });
      const firestore = getFirestore(app);
      connectFirestoreEmulator(firestore, firestoreServer.host, firestoreServer.port);
      const functions = getFunctions(app, 'us-central1');
      // Nothing listens on port 9 (discard) of this machine: calls fail as they do offline.
      connectFunctionsEmulator(functions, '127.0.0.1', options.functionsPort ?? 9);
      const userId = isSignedIn ? (await signInAnonymously(auth)).user.uid : '';
      return { app, auth, firestore, functions, userId };
    },
    async close() {
      await Promise.all(close.map((closeApp) => closeApp()));
      await deleteAdminApp(adminApp);
      await firestoreServer.close();
      await authServer.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
