/** The backend that the suite describes: which one, where it listens, and what it can do. */
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { deleteApp, type FirebaseApp, initializeApp } from 'firebase/app';
import { type Auth, connectAuthEmulator, initializeAuth, inMemoryPersistence } from 'firebase/auth';
import {
  connectFirestoreEmulator,
  type Firestore,
  getFirestore,
  initializeFirestore,
  setLogLevel,
} from 'firebase/firestore';
import { connectStorageEmulator, type FirebaseStorage, getStorage } from 'firebase/storage';
import { cert, deleteApp as deleteAdminApp, initializeApp as initializeAdminApp } from 'firebase-admin/app';
import { type Auth as AdminAuth, getAuth as getAdminAuth } from 'firebase-admin/auth';
import {
  type Firestore as AdminFirestore,
  getFirestore as getAdminFirestore,
} from 'firebase-admin/firestore';
import { getStorage as getAdminStorage } from 'firebase-admin/storage';

/** `host:port` of each service, as the SDKs' environment variables have it. */
export type EmulatorAddresses = { auth: string; firestore: string; storage: string };

/** Something to run the suite against. */
export type Surroundings = {
  /** For the report. */
  name: string;
  projectId: string;
  bucket: string;
  /** What a web app is configured with. */
  webConfig: Record<string, string>;
  /** Null in the cloud. */
  emulators: EmulatorAddresses | null;
  /** A service account file; without one nothing can be signed. */
  serviceAccountFile: string | null;
  /** What this one is known not to do: those tests are skipped, with their names in the report. */
  lacks: readonly Ability[];
  close(): Promise<void>;
};

/** Abilities that not every backend has. */
export type Ability =
  /** Hashes of imported passwords are checked. */
  | 'imported-hashes'
  /** Signed URLs are verified. */
  | 'signed-urls'
  /** Uploads in chunks keep their checksums. */
  | 'chunked-uploads'
  /** ACLs of objects are checked against those of the bucket. */
  | 'object-acls'
  /** A project's password and e-mail settings can be changed for a test. */
  | 'emulator-endpoints'
  /** Generation preconditions hold for every verb. */
  | 'preconditions'
  /** The Admin SDK reads and replaces download tokens: getDownloadURL() asks no rules, metadata revokes. */
  | 'admin-download-tokens'
  /** Composed objects, globs, unpacked gzip. */
  | 'storage-extras'
  /** Revoked sessions are refused. */
  | 'revocation';

/** A web app of one person. */
export type WebClient = { auth: Auth; firestore: Firestore; storage: FirebaseStorage };

/** What a suite gets. */
export type Backend = Surroundings & {
  /** Names this run: everything it makes lies below `conformance/{run}` or has the run in its address. */
  run: string;
  admin: {
    auth: AdminAuth;
    firestore: AdminFirestore;
    bucket: ReturnType<ReturnType<typeof getAdminStorage>['bucket']>;
  };
  can(ability: Ability): boolean;
  connect(): WebClient;
  /** An address that no earlier run has used. */
  email(name: string): string;
  /** Removes what the run made, and lets go of everything. */
  close(): Promise<void>;
};

/** Connects the SDKs. */
export function openBackend(surroundings: Surroundings): Backend {
  const { projectId, bucket, emulators, serviceAccountFile } = surroundings;
  if (emulators !== null) {
    process.env['FIREBASE_AUTH_EMULATOR_HOST'] = emulators.auth;
    process.env['FIRESTORE_EMULATOR_HOST'] = emulators.firestore;
    process.env['FIREBASE_STORAGE_EMULATOR_HOST'] = emulators.storage;
  }
  // Tests provoke refusals, and the SDK would print each.
  setLogLevel('silent');
  const run = randomBytes(6).toString('hex');
  const credential =
    serviceAccountFile === null
      ? {}
      : { credential: cert(JSON.parse(readFileSync(serviceAccountFile, 'utf8')) as object) };
  const adminApp = initializeAdminApp({ projectId, storageBucket: bucket, ...credential }, `admin-${run}`);
  const admin = {
    auth: getAdminAuth(adminApp),
    firestore: getAdminFirestore(adminApp),
    bucket: getAdminStorage(adminApp).bucket(),
  };
  const clients: FirebaseApp[] = [];
  return {
    ...surroundings,
    run,
    admin,
    can: (ability) => !surroundings.lacks.includes(ability),
    email: (name) => `${name}-${run}@example.com`,
    connect() {
      const app = initializeApp(surroundings.webConfig, `client-${run}-${clients.length}`);
      clients.push(app);
      return connected(app, emulators);
    },
    async close() {
      await removeTraces(admin, run);
      await Promise.all(clients.map(deleteApp));
      await deleteAdminApp(adminApp);
      await surroundings.close();
    },
  };
}

function connected(app: FirebaseApp, emulators: EmulatorAddresses | null): WebClient {
  const auth = initializeAuth(app, { persistence: inMemoryPersistence });
  initializeFirestore(app, {});
  const client = { auth, firestore: getFirestore(app), storage: getStorage(app) };
  if (emulators === null) return client;
  const address = (text: string) => {
    const at = text.lastIndexOf(':');
    return [text.slice(0, at), Number(text.slice(at + 1))] as const;
  };
  connectAuthEmulator(auth, `http://${emulators.auth}`, { disableWarnings: true });
  connectFirestoreEmulator(client.firestore, ...address(emulators.firestore));
  connectStorageEmulator(client.storage, ...address(emulators.storage));
  return client;
}

/** Users, documents and files of the run; other things of the project are never touched. */
async function removeTraces({ auth, firestore, bucket }: Backend['admin'], run: string): Promise<void> {
  let pageToken: string | undefined;
  const uids: string[] = [];
  do {
    const page = await auth.listUsers(1000, pageToken);
    const mine = page.users.filter(({ uid, email = '' }) => uid.includes(run) || email.includes(run));
    uids.push(...mine.map(({ uid }) => uid));
    pageToken = page.pageToken;
  } while (pageToken !== undefined);
  if (uids.length > 0) await auth.deleteUsers(uids);
  await firestore.recursiveDelete(firestore.doc(`conformance/${run}`));
  await bucket.deleteFiles({ prefix: `conformance/${run}/`, force: true });
}
