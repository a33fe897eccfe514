/** Auth, Firestore and functions on this machine for one test file, with the real SDKs of an app and of a server connected to them. */
import './quiet-console.ts';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { startAuth, startFirestore, startFunctionsHost } from '@firepod/local-firebase';
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

/** `functions`: what a host serves to the apps; without them calls fail as they do offline. */
export async function startLocalFirebase(options: { functions?: Record<string, unknown> } = {}) {
  const folder = await mkdtemp(join(tmpdir(), 'firepod-client-'));
  const authServer = await startAuth({
    port: 0,
    projectId: PROJECT_ID,
    databaseFile: join(folder, 'auth.db'),
  });
  const firestoreServer = await startFirestore({
    projectId: PROJECT_ID,
    databaseFile: join(folder, 'firestore.db'),
    rules: { file: fileURLToPath(new URL('../../../firebase/firestore.rules', import.meta.url)) },
  });
  process.env['FIRESTORE_EMULATOR_HOST'] = `${firestoreServer.host}:${firestoreServer.port}`;
  process.env['FIREBASE_AUTH_EMULATOR_HOST'] = `${authServer.host}:${authServer.port}`;
  process.env['GCLOUD_PROJECT'] = PROJECT_ID;
  process.env['FIREBASE_CONFIG'] = JSON.stringify({ projectId: PROJECT_ID });
  process.env['METADATA_SERVER_DETECTION'] = 'none';
  const functionsHost =
    options.functions &&
    (await startFunctionsHost({ port: 0, projectId: PROJECT_ID, functions: options.functions }));
  const adminApp = initializeAdminApp({ projectId: PROJECT_ID }, 'test');
  const close: (() => Promise<unknown>)[] = [];

  return {
    projectId: PROJECT_ID,
    /** The Admin SDK's Firestore, which plays functions and worker. */
    adminFirestore: getAdminFirestore(adminApp),
    /**
     * A new app with a user of its own, signed in unless told otherwise. Nothing is deployed in another `region` than
     * us-central1, and nothing listens on another `functionsPort`.
     */
    async connect({
      isSignedIn = true,
      region = 'us-central1',
      functionsPort = functionsHost?.port ?? 9,
    } = {}) {
      const app = initializeApp({ apiKey: 'local', projectId: PROJECT_ID }, `app-${close.length}`);
      close.push(() => deleteApp(app));
      const auth = initializeAuth(app, { persistence: inMemoryPersistence });
      connectAuthEmulator(auth, authServer.url, { disableWarnings: true });
      const firestore = getFirestore(app);
      connectFirestoreEmulator(firestore, firestoreServer.host, firestoreServer.port);
      const functions = getFunctions(app, region);
      connectFunctionsEmulator(functions, '127.0.0.1', functionsPort);
      const userId = isSignedIn ? (await signInAnonymously(auth)).user.uid : '';
      return { app, auth, firestore, functions, userId };
    },
    async close() {
      await Promise.all(close.map((closeApp) => closeApp()));
      await deleteAdminApp(adminApp);
      await functionsHost?.close();
      await firestoreServer.close();
      await authServer.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
