/** All of Firepod on one machine: data services, RunPod with its workers, and functions, each a process of its own. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { readOrMakeSecrets } from './local-secrets.js';
import { startServiceProcess } from './service-process.js';
/** The folder of the clone; this file lies two folders below it, as source and as built. */
export const cloneFolder = join(import.meta.dirname, '../..');
export const projectId = 'demo-firepod';
export const bucket = `${projectId}.firebasestorage.app`;
export const endpointId = 'local';
export const host = '127.0.0.1';
/** @throws {Error} naming the service that could not start; what had started is ended again. */
export async function startStack(options) {
    const { dataFolder, ports } = options;
    mkdirSync(dataFolder, { recursive: true });
    const secrets = readOrMakeSecrets(dataFolder, projectId);
    const started = [];
    const start = async (name, serviceOptions, env) => {
        const service = await startServiceProcess({
            name,
            program: join(cloneFolder, `dev/dist/processes/${name}.js`),
            options: serviceOptions,
            env,
            logFile: join(dataFolder, 'logs', `${name}.log`),
            ...(options.onRestart === undefined ? {} : { onRestart: options.onRestart }),
        });
        started.push(service);
        return service;
    };
    const close = async () => {
        // The last started knows the most: functions end before what they call.
        for (const service of started.reverse())
            await service.close();
    };
    try {
        const dataOptions = {
            projectId,
            bucket,
            host,
            dataFolder,
            ports: { auth: ports.auth, firestore: ports.firestore, storage: ports.storage },
        };
        const data = await start('data-services', dataOptions, {});
        const firebaseEnv = {
            GCLOUD_PROJECT: projectId,
            FIRESTORE_EMULATOR_HOST: `${host}:${data.ports['firestore']}`,
            FIREBASE_AUTH_EMULATOR_HOST: `${host}:${data.ports['auth']}`,
            FIREBASE_STORAGE_EMULATOR_HOST: `${host}:${data.ports['storage']}`,
        };
        const runpodOptions = {
            host,
            endpointId,
            apiKey: secrets.runpodApiKey,
            ports: { runpod: ports.runpod },
            worker: {
                program: join(cloneFolder, 'apps/worker/dist/main.js'),
                logFile: join(dataFolder, 'logs', 'worker.log'),
                ...(options.worker ?? { min: 1, max: 1, idleTimeoutMs: 60_000 }),
                env: {
                    ...firebaseEnv,
                    FIREBASE_SERVICE_ACCOUNT_KEY: secrets.serviceAccountFile,
                    FIREBASE_STORAGE_BUCKET: bucket,
                    FIREPOD_MODEL: options.modelFolder,
                    ...options.env,
                },
            },
        };
        const runpod = await start('runpod', runpodOptions, {});
        const functionsOptions = {
            host,
            projectId,
            modelFolder: options.modelFolder,
            ports: { functions: ports.functions },
        };
        const functions = await start('functions', functionsOptions, {
            ...firebaseEnv,
            FIREBASE_CONFIG: JSON.stringify({ projectId, storageBucket: bucket }),
            RUNPOD_API_KEY: secrets.runpodApiKey,
            RUNPOD_ENDPOINT_ID: endpointId,
            RUNPOD_ENDPOINT_BASE_URL: `http://${host}:${runpod.ports['runpod']}/v2`,
            FIREPOD_WEBHOOK_SECRET: secrets.webhookSecret,
            ...options.env,
        });
        const found = { ...ports, ...data.ports, ...runpod.ports, ...functions.ports };
        return {
            projectId,
            bucket,
            endpointId,
            host,
            ports: found,
            processes: { data, runpod, functions },
            runpodApiKey: secrets.runpodApiKey,
            serviceAccountFile: secrets.serviceAccountFile,
            close,
        };
    }
    catch (error) {
        await close();
        throw error;
    }
}
//# sourceMappingURL=stack.js.map