/** Auth in a temporary folder for one test file, with the web SDK and the Admin SDK connected to it. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { deleteApp, type FirebaseApp, initializeApp } from 'firebase/app';
import { type Auth, connectAuthEmulator, initializeAuth, inMemoryPersistence } from 'firebase/auth';
import { deleteApp as deleteAdminApp, initializeApp as initializeAdminApp } from 'firebase-admin/app';
import { type Auth as AdminAuth, getAuth as getAdminAuth } from 'firebase-admin/auth';
import { startAuth } from '../src/auth/server.ts';
import { silentLogger } from '../src/logger.ts';

/** A code that would have been mailed, as the emulator's endpoint lists it. */
type MailedCode = { email: string; requestType: string; oobCode: string; oobLink: string; newEmail?: string };

export type TemporaryAuth = {
  url: string;
  admin: AdminAuth;
  /** The log's messages, which stand for mails. */
  logged: string[];
  /** Milliseconds that the server's clock runs ahead. */
  advance(ms: number): void;
  /** A client of its own, as of another browser. */
  connect(): Auth;
  /** The newest code for an address. */
  mailedTo(email: string): Promise<MailedCode>;
  textedTo(phoneNumber: string): Promise<string>;
  /** Forgets users, and hides registered addresses or not. */
  reset(settings?: { emailPrivacy: boolean }): Promise<void>;
  close(): Promise<void>;
};

let apps = 0;

/** Sets FIREBASE_AUTH_EMULATOR_HOST: one at a time in a process. */
export async function startTemporaryAuth(projectId: string): Promise<TemporaryAuth> {
  const folder = await mkdtemp(join(tmpdir(), `${projectId}-`));
  const logged: string[] = [];
  let aheadMs = 0;
  const server = await startAuth({
    port: 0,
    projectId,
    databaseFile: join(folder, 'auth.db'),
    clock: () => Date.now() + aheadMs,
    logger: { ...silentLogger, info: (_fields, message) => logged.push(message) },
  });
  process.env['FIREBASE_AUTH_EMULATOR_HOST'] = `${server.host}:${server.port}`;
  const adminApp = initializeAdminApp({ projectId }, `${projectId}-${apps++}`);
  const emulator = `${server.url}/emulator/v1/projects/${projectId}`;
  const clients: FirebaseApp[] = [];
  const list = async <Each>(name: string) =>
    ((await (await fetch(`${emulator}/${name}`)).json()) as Record<string, Each[]>)[name] ?? [];
  return {
    url: server.url,
    admin: getAdminAuth(adminApp),
    logged,
    advance(ms) {
      aheadMs += ms;
    },
    connect() {
      const app = initializeApp({ apiKey: 'local', projectId }, `${projectId}-${apps++}`);
      clients.push(app);
      const auth = initializeAuth(app, { persistence: inMemoryPersistence });
      connectAuthEmulator(auth, server.url, { disableWarnings: true });
      return auth;
    },
    async mailedTo(email) {
      const found = (await list<MailedCode>('oobCodes')).findLast((code) => code.email === email);
      if (found === undefined) throw new Error(`Nothing was mailed to ${email}.`);
      return found;
    },
    async textedTo(phoneNumber) {
      const codes = await list<{ phoneNumber: string; code: string }>('verificationCodes');
      const found = codes.findLast((each) => each.phoneNumber === phoneNumber);
      if (found === undefined) throw new Error(`Nothing was texted to ${phoneNumber}.`);
      return found.code;
    },
    async reset({ emailPrivacy } = { emailPrivacy: true }) {
      await fetch(`${emulator}/accounts`, { method: 'DELETE' });
      await fetch(`${emulator}/config`, {
        method: 'PATCH',
        body: JSON.stringify({ emailPrivacyConfig: { enableImprovedEmailPrivacy: emailPrivacy } }),
      });
    },
    async close() {
      await Promise.all([...clients.map(deleteApp), deleteAdminApp(adminApp)]);
      await server.close();
      delete process.env['FIREBASE_AUTH_EMULATOR_HOST'];
      await rm(folder, { recursive: true });
    },
  };
}
