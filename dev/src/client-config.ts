/** What a client is told of a stack: the app's configuration, and where each service is. */
import type { StackAddresses } from './stack.ts';

/** The configuration that the web app is initialised with, as Hosting's init.json gives it in production. */
export function firebaseConfig({ projectId, bucket, appId }: StackAddresses) {
  return { projectId, apiKey: 'local', storageBucket: bucket, appId };
}

/** `host:port` of each service, under the names that `__FIREBASE_DEFAULTS__.emulatorHosts` uses. */
export function emulatorHosts({ host, ports }: Pick<StackAddresses, 'host' | 'ports'>) {
  const at = (port: number) => `${host}:${port}`;
  return {
    auth: at(ports.auth),
    firestore: at(ports.firestore),
    storage: at(ports.storage),
    functions: at(ports.functions),
  };
}
