/** Finds the backend that FIREPOD_CONFORMANCE names: `local` (when unset), `firebase-tools`, `emulators` or `cloud`. */
import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startAuth, startFirestore, startStorage } from '@firepod/local-firebase';
import type { Ability, EmulatorAddresses, Surroundings } from './backend.ts';
import { startYardstick } from './yardstick.ts';

/**
 * With FIREPOD_CONFORMANCE_ALL=1 nothing is skipped, which shows whether a backend has learnt what it lacked.
 *
 * @throws {Error} naming the variables that are missing.
 */
export async function findSurroundings(env: NodeJS.ProcessEnv): Promise<Surroundings> {
  const found = await named(env);
  return env['FIREPOD_CONFORMANCE_ALL'] === '1' ? { ...found, lacks: [] } : found;
}

async function named(env: NodeJS.ProcessEnv): Promise<Surroundings> {
  const kind = env['FIREPOD_CONFORMANCE'] ?? 'local';
  if (kind === 'local') return startLocal();
  if (kind === 'firebase-tools') return startWithYardstick();
  if (kind === 'emulators') return runningEmulators(env);
  if (kind === 'cloud') return cloudProject(env);
  throw new Error(`FIREPOD_CONFORMANCE=${kind}: expected local, firebase-tools, emulators or cloud.`);
}

const projectId = 'demo-conformance';
const bucket = `${projectId}.firebasestorage.app`;
const webConfig = { apiKey: 'local', projectId, storageBucket: bucket };
const rulesFile = (service: string) => ({ file: join(import.meta.dirname, `${service}.rules`) });

/** What firebase-tools 15.34.2 was seen not to do: `docs/conformance.md` says how. */
const officialLacks: readonly Ability[] = [
  'imported-hashes',
  'signed-urls',
  'chunked-uploads',
  'object-acls',
  'admin-download-tokens',
  'preconditions',
  'storage-extras',
  'revocation',
];

/** Our own services, in this process. */
async function startLocal(): Promise<Surroundings> {
  const folder = mkdtempSync(join(tmpdir(), 'conformance-'));
  const serviceAccountFile = join(folder, 'service-account.json');
  const signer = writeServiceAccount(serviceAccountFile);
  const port = { port: 0, projectId };
  const auth = await startAuth({ ...port, databaseFile: join(folder, 'auth.db') });
  const firestore = await startFirestore({
    ...port,
    databaseFile: join(folder, 'firestore.db'),
    rules: rulesFile('firestore'),
  });
  const storage = await startStorage({
    ...port,
    dataFolder: join(folder, 'storage'),
    buckets: { [bucket]: {} },
    rules: rulesFile('storage'),
    serviceAccounts: [signer],
  });
  const host = (server: { host: string; port: number }) => `${server.host}:${server.port}`;
  return {
    name: 'the local Firebase',
    projectId,
    bucket,
    webConfig,
    emulators: { auth: host(auth), firestore: host(firestore), storage: host(storage) },
    serviceAccountFile,
    lacks: [],
    async close() {
      await Promise.all([auth.close(), firestore.close(), storage.close()]);
      rmSync(folder, { recursive: true });
    },
  };
}

/** The official Auth and Storage, in this process; their Firestore is a Java program, so ours stands in. */
async function startWithYardstick(): Promise<Surroundings> {
  const local = await startLocal();
  const { auth, storage, close } = await startYardstick({ projectId, bucket });
  return {
    ...local,
    name: 'Auth and Storage of firebase-tools, Firestore of the local Firebase',
    emulators: { ...local.emulators!, auth, storage },
    lacks: officialLacks,
    async close() {
      await close();
      await local.close();
    },
  };
}

/** Emulators that somebody else has started. */
function runningEmulators(env: NodeJS.ProcessEnv): Surroundings {
  const names = ['FIREBASE_AUTH_EMULATOR_HOST', 'FIRESTORE_EMULATOR_HOST', 'FIREBASE_STORAGE_EMULATOR_HOST'];
  const [auth, firestore, storage] = required(env, names);
  const given = env['GCLOUD_PROJECT'] ?? projectId;
  const storageBucket = env['FIREBASE_STORAGE_BUCKET'] ?? `${given}.firebasestorage.app`;
  const emulators: EmulatorAddresses = { auth: auth!, firestore: firestore!, storage: storage! };
  return {
    name: `the emulators at ${Object.values(emulators).join(', ')}`,
    projectId: given,
    bucket: storageBucket,
    webConfig: { apiKey: 'local', projectId: given, storageBucket },
    emulators,
    serviceAccountFile: null,
    lacks: officialLacks,
    close: async () => {},
  };
}

/** A real project, set up for nothing else. */
function cloudProject(env: NodeJS.ProcessEnv): Surroundings {
  const names = ['FIREPOD_CONFORMANCE_WEB_CONFIG', 'GOOGLE_APPLICATION_CREDENTIALS'];
  const [webConfigFile, serviceAccountFile] = required(env, names);
  const config = JSON.parse(readFileSync(webConfigFile!, 'utf8')) as Record<string, string>;
  const { projectId: cloudId, storageBucket } = config;
  if (cloudId === undefined || storageBucket === undefined) {
    throw new Error(`${webConfigFile} lacks projectId or storageBucket: expected an app's firebaseConfig.`);
  }
  return {
    name: `the project ${cloudId} in the cloud`,
    projectId: cloudId,
    bucket: storageBucket,
    webConfig: config,
    emulators: null,
    serviceAccountFile: serviceAccountFile!,
    lacks: ['emulator-endpoints', 'object-acls'],
    close: async () => {},
  };
}

function required(env: NodeJS.ProcessEnv, names: readonly string[]): (string | undefined)[] {
  const missing = names.filter((name) => env[name] === undefined);
  if (missing.length > 0) throw new Error(`Set ${missing.join(', ')}: docs/conformance.md says to what.`);
  return names.map((name) => env[name]);
}

function writeServiceAccount(file: string): { clientEmail: string; publicKey: string } {
  const { publicKey, privateKey } = generateKeyPairSync('rsa', {
    modulusLength: 2048,
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  });
  const clientEmail = `conformance@${projectId}.iam.gserviceaccount.com`;
  const account = {
    type: 'service_account',
    project_id: projectId,
    private_key: privateKey,
    client_email: clientEmail,
  };
  writeFileSync(file, JSON.stringify(account), { mode: 0o600 });
  return { clientEmail, publicKey };
}
