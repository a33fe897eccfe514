/** Starts firebase-tools' own Auth and Storage emulators in this process, where `npm install` has been run in this folder. */
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { AddressInfo, Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** An express app, as far as it is needed. */
type ListeningApp = { listen(port: number, host: string, ready: () => void): Server };

/** firebase-tools has no types for its inside; the pinned version is what these names hold for. */
type Inside = Record<string, (...given: unknown[]) => unknown> &
  Record<string, new (...given: unknown[]) => Record<string, unknown>>;

const host = '127.0.0.1';

/** `host:port` of both, and how to end them. @throws {Error} when firebase-tools is not installed. */
export async function startYardstick({ projectId, bucket }: { projectId: string; bucket: string }) {
  const folder = process.env['FIREPOD_CONFORMANCE_TOOLS'] ?? import.meta.dirname;
  if (!existsSync(join(folder, 'node_modules/firebase-tools'))) {
    throw new Error(
      `Run "npm install --no-package-lock" in ${folder} first: it fetches firebase-tools, 242 MB.`,
    );
  }
  const require = createRequire(join(folder, 'package.json'));
  const load = (path: string) => require(`firebase-tools/lib/emulator/${path}`) as Inside;
  const servers: Server[] = [];
  const listen = async (app: ListeningApp) => {
    const server = await new Promise<Server>((resolve) => {
      const starting = app.listen(0, host, () => resolve(starting));
    });
    servers.push(server);
    return `${host}:${(server.address() as AddressInfo).port}`;
  };
  withoutCommonParameters(load('auth/apiSpec.js') as unknown as ApiDescription);
  const auth = await listen((await load('auth/server.js')['createApp']!(projectId)) as ListeningApp);
  const storage = await listen(await createStorageApp(load, projectId, bucket));
  // Links in Storage's answers are made from what the registry says; nothing else of it is used.
  const { EmulatorRegistry } = load('registry.js') as unknown as { EmulatorRegistry: Registry };
  const port = Number(storage.split(':')[1]);
  EmulatorRegistry.set('storage', {
    getName: () => 'storage',
    getInfo: () => ({ name: 'storage', host, port }),
  });
  return {
    auth,
    storage,
    async close() {
      for (const server of servers as (Server & { closeAllConnections(): void })[]) {
        server.closeAllConnections();
        server.close();
      }
    },
  };
}

type Registry = { set(name: string, emulator: object): void };

type ApiDescription = { default: { paths: Record<string, { parameters?: object[] }> } };

/** Each path repeats references to `alt`, `prettyPrint` … whose checks cost most of a start of 18 s; the SDKs send none of them. */
function withoutCommonParameters(description: ApiDescription): void {
  for (const path of Object.values(description.default.paths)) {
    path.parameters = (path.parameters ?? []).filter((parameter) => !('$ref' in parameter));
  }
}

/** Storage without its Java program for rules: ours in a few lines stand in, for the paths of `storage.rules`. */
async function createStorageApp(
  load: (path: string) => Inside,
  projectId: string,
  bucket: string,
): Promise<ListeningApp> {
  const { StorageLayer } = load('storage/files.js');
  const { Persistence } = load('storage/persistence.js');
  const { UploadService } = load('storage/upload.js');
  const persistence = new Persistence!(join(tmpdir(), `yardstick-${process.pid}`));
  const uploadService = new UploadService!(persistence);
  const cloudFunctions = { dispatch: async () => {} };
  const administrator = { validate: () => true };
  const rules = {
    validate: async (
      path: string,
      _bucket: string,
      method: string,
      variables: RuleVariables,
      _project: string,
      authorization?: string,
    ) => isAllowed(path, method, variables, authorization),
  };
  const files = new Map();
  const buckets = new Map([[bucket, { name: bucket }]]);
  const layer = (validator: object) =>
    new StorageLayer!(projectId, files, buckets, validator, administrator, persistence, cloudFunctions);
  const emulator = {
    storageLayer: layer(rules),
    adminStorageLayer: layer({ validate: async () => true }),
    uploadService,
    rulesManager: { getRuleset: () => ({}) },
    getInfo: () => ({ name: 'storage', host, port: 0 }),
  };
  return (await load('storage/server.js')['createApp']!(projectId, emulator)) as ListeningApp;
}

type RuleVariables = { after?: { size?: number | string } };

function isAllowed(path: string, method: string, variables: RuleVariables, authorization = ''): boolean {
  if (/^Bearer owner$/i.test(authorization)) return true;
  const [, , , , , scope, uid] = path.split('/');
  if (scope === 'shown') return method === 'get';
  const payload = authorization.replace(/^\w+ /, '').split('.')[1] ?? '';
  const claims =
    payload === '' ? {} : (JSON.parse(Buffer.from(payload, 'base64url').toString()) as { sub?: string });
  if (scope !== 'own' || uid === undefined || claims.sub !== uid) return false;
  return !['create', 'update'].includes(method) || Number(variables.after?.size ?? 0) < 3 * 1024 * 1024;
}
