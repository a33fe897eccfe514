/** Starts a Firebase Auth of our own: the REST services behind the web SDK and the Admin SDK, users kept in one libsql file. */
import { getRequestListener } from '@hono/node-server';
import { openDatabase } from '../database.ts';
import { type ListenOptions, listen, type RunningServer } from '../http-server.ts';
import { type Logger, silentLogger } from '../logger.ts';
import { accountsSchema, accountsSchemaVersion, createAccountStore } from './accounts.ts';
import { codesSchema, createCodeStore } from './codes.ts';
import { createAuthRoutes } from './routes.ts';
import { createAuthService } from './service.ts';

/** How to start Auth. */
export type AuthOptions = ListenOptions & {
  /** The only project that is served; tokens are issued for it. */
  projectId: string;
  /** Made when absent. */
  databaseFile: string;
  /** Milliseconds since 1970; for tests. */
  clock?: () => number;
  /** Bytes for ids and refresh tokens; for tests. */
  random?: (sizeBytes: number) => Uint8Array;
  logger?: Logger;
};

/**
 * Starts Auth and resolves when it listens. Tell the web SDK with `connectAuthEmulator(auth, url)` or
 * `emulatorHosts.auth`, the Admin SDK with `FIREBASE_AUTH_EMULATOR_HOST=host:port`.
 *
 * @throws LocalFirebaseError `data_unreadable` or `address_unavailable`.
 */
export async function startAuth(options: AuthOptions): Promise<RunningServer> {
  const { databaseFile, logger = silentLogger } = options;
  const database = openDatabase(databaseFile, `${accountsSchema}; ${codesSchema}`, accountsSchemaVersion);
  const service = createAuthService(createAccountStore(database), createCodeStore(database), options);
  const { fetch } = createAuthRoutes(service, logger);
  try {
    return await listen(getRequestListener(fetch, { overrideGlobalObjects: false }), options, () =>
      database.close(),
    );
  } catch (error) {
    database.close();
    throw error;
  }
}
