/** Everything that the functions talk to, in this process: Auth, Firestore, RunPod and the functions themselves. */
import './quiet-console.ts';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { startAuth, startFirestore, startFunctionsHost } from '@firepod/local-firebase';
import { type LocalRunpod, startLocalRunpod } from '@firepod/runpod/local';
import { deleteApp, initializeApp } from 'firebase/app';
import { connectAuthEmulator, initializeAuth, inMemoryPersistence, signInAnonymously } from 'firebase/auth';
import { connectFunctionsEmulator, getFunctions, httpsCallable } from 'firebase/functions';
import { deleteApp as deleteAdminApp, initializeApp as initializeAdminApp } from 'firebase-admin/app';
import { type Firestore, getFirestore } from 'firebase-admin/firestore';
import { logger } from 'firebase-functions';
import { vi } from 'vitest';
import { adminApp } from '../src/admin-app.ts';
import { createFunctionContext, type FunctionContext } from '../src/function-context.ts';
import { startHandWorker } from './hand-worker.ts';

const PROJECT_ID = 'demo-functions';
const ENDPOINT_ID = 'local';
const API_KEY = 'local-api-key';
export const WEBHOOK_SECRET = 'a webhook secret for tests';

/** A signed-in user's way to the callables. */
export interface TestUser {
  readonly userId: string;
  /** Calls a function; rejects with the web SDK's own error. */
  call(name: string, data: unknown): Promise<Record<string, unknown>>;
}

export type LocalStack = Awaited<ReturnType<typeof startLocalStack>>;

/** Waits until it is true, for as long as a busy machine may need. */
export function eventually(condition: () => boolean | Promise<boolean>): Promise<boolean> {
  return vi.waitUntil(condition, { timeout: 15_000, interval: 20 });
}

/**
 * Sets the environment as a deployment would; `vi.stubEnv` changes it for one test. `loadFunctions` imports the functions
 * once it is set.
 */
export async function startLocalStack({
  loadFunctions = (): Promise<Record<string, unknown>> => import('../src/index.ts'),
} = {}) {
  const folder = await mkdtemp(join(tmpdir(), 'firepod-functions-'));
  const auth = await startAuth({ port: 0, projectId: PROJECT_ID, databaseFile: join(folder, 'auth.db') });
  const firestore = await startFirestore({
    projectId: PROJECT_ID,
    databaseFile: join(folder, 'firestore.db'),
    rules: { file: fileURLToPath(new URL('../../../firebase/firestore.rules', import.meta.url)) },
  });
  const runpod: LocalRunpod = await startLocalRunpod({
    endpointId: ENDPOINT_ID,
    apiKey: API_KEY,
    timings: { webhookRetryMs: 100, pollHoldMs: 1000, tickMs: 50 },
  });
  Object.assign(process.env, {
    GCLOUD_PROJECT: PROJECT_ID,
    FIREBASE_CONFIG: JSON.stringify({ projectId: PROJECT_ID }),
    FIRESTORE_EMULATOR_HOST: `${firestore.host}:${firestore.port}`,
    FIREBASE_AUTH_EMULATOR_HOST: `${auth.host}:${auth.port}`,
    METADATA_SERVER_DETECTION: 'none',
    RUNPOD_API_KEY: API_KEY,
    RUNPOD_ENDPOINT_ID: ENDPOINT_ID,
    RUNPOD_ENDPOINT_BASE_URL: runpod.baseUrl,
    FIREPOD_WEBHOOK_SECRET: WEBHOOK_SECRET,
  });
  // Tests provoke warnings and errors; what they print helps nobody.
  for (const level of ['info', 'warn', 'error'] as const) vi.spyOn(logger, level).mockReturnValue();
  const functions = await startFunctionsHost({
    port: 0,
    projectId: PROJECT_ID,
    functions: await loadFunctions(),
  });
  const functionsUrl = `http://127.0.0.1:${functions.port}/${PROJECT_ID}/us-central1`;
  process.env['FIREPOD_WEBHOOK_URL'] = `${functionsUrl}/runpodWebhook`;
  const testAdminApp = initializeAdminApp({ projectId: PROJECT_ID }, 'test');
  const closers: (() => Promise<unknown>)[] = [];

  return {
    runpod,
    functionsUrl,
    /** A worker that takes jobs from RunPod when it is told to. */
    worker: startHandWorker(runpod.workerEnvironment()),
    /** The Admin SDK of a test, apart from the functions' own. */
    firestore: getFirestore(testAdminApp) as Firestore,
    /** For calling a function's work without its HTTP door. */
    context: (): FunctionContext => createFunctionContext(),
    async signIn({ isSignedIn = true } = {}): Promise<TestUser> {
      const app = initializeApp({ apiKey: 'local', projectId: PROJECT_ID }, `app-${closers.length}`);
      closers.push(() => deleteApp(app));
      const clientAuth = initializeAuth(app, { persistence: inMemoryPersistence });
      connectAuthEmulator(clientAuth, auth.url, { disableWarnings: true });
      const clientFunctions = getFunctions(app, 'us-central1');
      connectFunctionsEmulator(clientFunctions, '127.0.0.1', functions.port);
      const userId = isSignedIn ? (await signInAnonymously(clientAuth)).user.uid : '';
      return {
        userId,
        call: async (name, data) =>
          (await httpsCallable<unknown, Record<string, unknown>>(clientFunctions, name)(data)).data,
      };
    },
    async close() {
      await Promise.all(closers.map((close) => close()));
      await functions.close();
      await runpod.close();
      await deleteAdminApp(testAdminApp);
      await deleteAdminApp(adminApp());
      await firestore.close();
      await auth.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
