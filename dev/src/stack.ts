/** All of Firepod on one machine: data services, RunPod with its workers, and functions, each a process of its own. */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, realpathSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { readOrMakeSecrets } from './local-secrets.ts';
import type { Ports } from './ports.ts';
import type { DataServicesOptions } from './processes/data-services.ts';
import type { FunctionsOptions } from './processes/functions.ts';
import type { RunpodOptions } from './processes/runpod.ts';
import { type ServiceProcess, startServiceProcess } from './service-process.ts';

/** The folder of the clone; this file lies two folders below it, as source and as built. */
export const cloneFolder = join(import.meta.dirname, '../..');

/** The models that the clone has: one for images, one for videos. */
export const shippedModelFolders = ['models/tiny-sdxl', 'models/tiny-wan']
  .map((folder) => join(cloneFolder, folder))
  .filter((folder) => existsSync(join(folder, 'model_index.json')));

export const projectId = 'demo-firepod';
export const bucket = `${projectId}.firebasestorage.app`;
export const endpointId = 'local';
export const host = '127.0.0.1';

/** RunPod gives its workers ten seconds to end; it needs a little more for itself. */
const runpodKillAfterMs = 12_000;

export interface StackOptions {
  /** Where data, secrets and logs live. */
  dataFolder: string;
  ports: Ports;
  /** Folders or hub names of the models that the workers load; of several, the first that has a request's task makes it. */
  models: string[];
  /** How long RunPod keeps a worker that has nothing to do, and how many it keeps whatever happens. */
  worker?: { min: number; max: number; idleTimeoutMs: number };
  /** More environment for functions and workers, for example `FIREPOD_DISPATCH` or `FIREPOD_LEASE_SECONDS`. */
  env?: Record<string, string>;
  /** Called with a sentence for the person at the console: a process died and is started again, a worker cannot run. */
  onTrouble?: (sentence: string) => void;
  /** Stops the start; what had started is ended again. */
  signal?: AbortSignal;
}

/** What a client needs to talk to a stack: where each service listens, and the app's configuration. */
export interface StackAddresses {
  projectId: string;
  /** The id of the app at Firebase; on this machine each data folder is an app of its own. */
  appId: string;
  bucket: string;
  endpointId: string;
  host: string;
  ports: Ports;
}

export interface Stack extends StackAddresses {
  readonly processes: { data: ServiceProcess; runpod: ServiceProcess; functions: ServiceProcess };
  /** The key that RunPod's endpoint wants; for tests that call it directly, as the integration guide does. */
  readonly runpodApiKey: string;
  readonly serviceAccountFile: string;
  close(): Promise<void>;
}

/** @throws {Error} naming the service that could not start; what had started is ended again. */
export async function startStack(options: StackOptions): Promise<Stack> {
  const { dataFolder, ports, signal } = options;
  mkdirSync(dataFolder, { recursive: true, mode: 0o700 });
  const secrets = readOrMakeSecrets(dataFolder, projectId);
  const started: ServiceProcess[] = [];
  const start = async (
    name: string,
    serviceOptions: { ports: Record<string, number> },
    env: Record<string, string>,
    killAfterMs?: number,
  ) => {
    signal?.throwIfAborted();
    const service = await startServiceProcess({
      name,
      program: join(cloneFolder, `dev/dist/processes/${name}.js`),
      options: serviceOptions,
      env,
      logFile: join(dataFolder, 'logs', `${name}.log`),
      ...(killAfterMs === undefined ? {} : { killAfterMs }),
      ...(options.onTrouble === undefined ? {} : { onTrouble: options.onTrouble }),
    });
    started.push(service);
    return service;
  };
  const close = async () => {
    // The last started knows the most: functions end before what they call.
    for (const service of started.reverse()) await service.close();
  };

  try {
    const dataOptions: DataServicesOptions = {
      projectId,
      bucket,
      host,
      dataFolder,
      serviceAccountFile: secrets.serviceAccountFile,
      ports: { auth: ports.auth, firestore: ports.firestore, storage: ports.storage },
    };
    const data = await start('data-services', dataOptions, {});
    const firebaseEnv = {
      GCLOUD_PROJECT: projectId,
      FIRESTORE_EMULATOR_HOST: `${host}:${data.ports['firestore']}`,
      FIREBASE_AUTH_EMULATOR_HOST: `${host}:${data.ports['auth']}`,
      FIREBASE_STORAGE_EMULATOR_HOST: `${host}:${data.ports['storage']}`,
    };
    const runpodOptions: RunpodOptions = {
      host,
      endpointId,
      apiKey: secrets.runpodApiKey,
      dataFolder,
      ports: { runpod: ports.runpod },
      worker: {
        program: join(cloneFolder, 'apps/worker/dist/main.js'),
        logFile: join(dataFolder, 'logs', 'worker.log'),
        ...(options.worker ?? { min: 1, max: 1, idleTimeoutMs: 60_000 }),
        env: {
          ...firebaseEnv,
          FIREBASE_SERVICE_ACCOUNT_KEY: secrets.serviceAccountFile,
          FIREBASE_STORAGE_BUCKET: bucket,
          FIREPOD_MODEL: options.models.join(delimiter),
          FIREPOD_WEIGHTS_FOLDER: join(dataFolder, 'weights'),
          // A person waits for the prompt; what is not done by then, the next start does.
          FIREPOD_SHUTDOWN_GRACE_SECONDS: '1',
          ...options.env,
        },
      },
    };
    const runpod = await start('runpod', runpodOptions, {}, runpodKillAfterMs);
    const functionsOptions: FunctionsOptions = {
      host,
      projectId,
      models: options.models,
      ports: { functions: ports.functions },
    };
    const functions = await start('functions', functionsOptions, {
      ...firebaseEnv,
      // On a machine of Google's, its credentials must not be found and used.
      METADATA_SERVER_DETECTION: 'none',
      FIREBASE_CONFIG: JSON.stringify({ projectId, storageBucket: bucket }),
      RUNPOD_API_KEY: secrets.runpodApiKey,
      RUNPOD_ENDPOINT_ID: endpointId,
      RUNPOD_ENDPOINT_BASE_URL: `http://${host}:${runpod.ports['runpod']}/v2`,
      FIREPOD_WEBHOOK_SECRET: secrets.webhookSecret,
      ...options.env,
    });
    const found = { ...ports, ...data.ports, ...runpod.ports, ...functions.ports };
    signal?.throwIfAborted();
    return {
      projectId,
      appId: appIdOf(dataFolder),
      bucket,
      endpointId,
      host,
      ports: found,
      processes: { data, runpod, functions },
      runpodApiKey: secrets.runpodApiKey,
      serviceAccountFile: secrets.serviceAccountFile,
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

/** The same for every start from a folder, another for another folder. */
function appIdOf(dataFolder: string): string {
  return `1:0:web:${createHash('sha256').update(realpathSync(dataFolder)).digest('hex').slice(0, 22)}`;
}
