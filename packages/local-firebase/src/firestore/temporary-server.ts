/** A Firestore on a free port and a file of its own, for tests: everything goes when it is closed. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type FirestoreOptions, type FirestoreServer, startFirestore } from './server.ts';

export type TemporaryServer = {
  readonly projectId: string;
  readonly host: string;
  readonly port: number;
  readonly databaseFile: string;
  /** Stops serving and keeps the data. */
  stop(): Promise<void>;
  /** Serves again on the same port. */
  restart(): Promise<void>;
  close(): Promise<void>;
};

export async function startTemporaryServer(
  options: Partial<FirestoreOptions> = {},
): Promise<TemporaryServer> {
  const folder = mkdtempSync(join(tmpdir(), 'firestore-'));
  const databaseFile = join(folder, 'firestore.db');
  const projectId = options.projectId ?? 'demo-test';
  const start = (port: number): Promise<FirestoreServer> =>
    startFirestore({ ...options, projectId, databaseFile, port });
  let server = await start(options.port ?? 0);
  const { port, host } = server;
  return {
    projectId,
    host,
    port,
    databaseFile,
    stop: () => server.close(),
    async restart() {
      await server.close();
      server = await start(port);
    },
    async close() {
      await server.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
