/** A Firestore on a free port and a file of its own, for tests: everything goes when it is closed. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { RulesSource } from '../rules/live-rules.ts';
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

/** A rules file with the given match blocks below the documents of any database. */
export function rulesWith(matches: string): RulesSource {
  return {
    text: `rules_version = '2';
service cloud.firestore { match /databases/{database}/documents { ${matches} } }`,
  };
}

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
