/** A signed-in user of a test stack: the client that an app uses, and the Admin SDK's view of the same data. */
import { createFirepodClient } from '@firepod/client';
import { connectClientApp, type Stack } from '@firepod/dev';
import { deleteApp } from 'firebase/app';
import { signInAnonymously } from 'firebase/auth';
import { cert, deleteApp as deleteAdminApp, initializeApp } from 'firebase-admin/app';
import { getFirestore } from 'firebase-admin/firestore';
import { getStorage } from 'firebase-admin/storage';

/** Signs a new guest in; `close()` ends both SDKs' connections. */
export async function signInTestUser(stack: Stack) {
  const clientApp = await connectClientApp(stack, crypto.randomUUID());
  const { user } = await signInAnonymously(clientApp.auth);
  process.env['FIRESTORE_EMULATOR_HOST'] = `${stack.host}:${stack.ports.firestore}`;
  process.env['FIREBASE_STORAGE_EMULATOR_HOST'] = `${stack.host}:${stack.ports.storage}`;
  const admin = initializeApp(
    { projectId: stack.projectId, storageBucket: stack.bucket, credential: cert(stack.serviceAccountFile) },
    crypto.randomUUID(),
  );
  const bucket = getStorage(admin).bucket();
  return {
    userId: user.uid,
    client: createFirepodClient(clientApp),
    adminFirestore: getFirestore(admin),
    /** The names of this user's objects in Storage. */
    async storedNames(): Promise<string[]> {
      const [files] = await bucket.getFiles({ prefix: `generating/${user.uid}/` });
      return files.map((file) => file.name);
    },
    async close() {
      await deleteApp(clientApp.app);
      await deleteAdminApp(admin);
    },
  };
}

export type TestUser = Awaited<ReturnType<typeof signInTestUser>>;
