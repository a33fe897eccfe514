/** The Firebase app of a client on this machine: what `__FIREBASE_DEFAULTS__` tells a browser, told to the Node SDK. */
import { type FirebaseApp } from 'firebase/app';
import type { StackAddresses } from './stack.ts';
/** The configuration that the web app is initialised with, as Hosting's init.json gives it in production. */
export declare function firebaseConfig(addresses: Pick<StackAddresses, 'projectId' | 'bucket'>): {
    projectId: string;
    apiKey: string;
    storageBucket: string;
    appId: string;
};
/** `host:port` of each service, under the names that `__FIREBASE_DEFAULTS__.emulatorHosts` uses. */
export declare function emulatorHosts({ host, ports }: Pick<StackAddresses, 'host' | 'ports'>): {
    auth: string;
    firestore: string;
    storage: string;
    functions: string;
};
/** An app of its own for each caller, connected to the stack; `deleteApp` ends its connections. */
export declare function connectClientApp(addresses: StackAddresses, name: string): Promise<{
    app: FirebaseApp;
    auth: import("firebase/auth").Auth;
    firestore: import("@firebase/firestore").Firestore;
    functions: import("@firebase/functions").Functions;
}>;
