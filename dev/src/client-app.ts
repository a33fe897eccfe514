/** The Firebase app of a client on this machine: what `__FIREBASE_DEFAULTS__` tells a browser, told to the Node SDK. */
import { type FirebaseApp, initializeApp } from 'firebase/app';
import { connectAuthEmulator, getAuth, inMemoryPersistence, setPersistence } from 'firebase/auth';
import { connectFirestoreEmulator, getFirestore } from 'firebase/firestore';
import { connectFunctionsEmulator, getFunctions } from 'firebase/functions';
import { connectStorageEmulator, getStorage } from 'firebase/storage';
import { firebaseConfig } from './client-config.ts';
import type { StackAddresses } from './stack.ts';

/** An app of its own for each caller, connected to the stack; `deleteApp` ends its connections. */
export async function connectClientApp(addresses: StackAddresses, name: string) {
  const { host, ports } = addresses;
  // gRPC would send even this machine's own traffic through a proxy that a shell names.
  process.env['no_grpc_proxy'] = host;
  const app: FirebaseApp = initializeApp(firebaseConfig(addresses), name);
  const auth = getAuth(app);
  connectAuthEmulator(auth, `http://${host}:${ports.auth}`, { disableWarnings: true });
  await setPersistence(auth, inMemoryPersistence);
  const firestore = getFirestore(app);
  connectFirestoreEmulator(firestore, host, ports.firestore);
  const functions = getFunctions(app, 'us-central1');
  connectFunctionsEmulator(functions, host, ports.functions);
  connectStorageEmulator(getStorage(app), host, ports.storage);
  return { app, auth, firestore, functions };
}
