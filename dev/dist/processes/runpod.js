/** RunPod of a stack: the endpoint's queue, and a supervisor that starts and stops the workers. */
import { createWriteStream } from 'node:fs';
import { startLocalRunpod } from '@firepod/runpod/local';
import { createConsoleLogger } from '../console-logger.js';
import { runService } from './run-service.js';
await runService(async ({ host, endpointId, apiKey, ports, worker }) => {
    const workerLog = createWriteStream(worker.logFile, { flags: 'a' });
    const runpod = await startLocalRunpod({
        host,
        port: ports.runpod,
        endpointId,
        apiKey,
        worker: {
            command: process.execPath,
            args: [worker.program],
            env: worker.env,
            minWorkers: worker.min,
            maxWorkers: worker.max,
            idleTimeoutMs: worker.idleTimeoutMs,
            onLine: (line) => workerLog.write(`${line}\n`),
        },
        logger: createConsoleLogger(),
    });
    return { ports: { runpod: runpod.port }, close: () => runpod.close().finally(() => workerLog.end()) };
});
//# sourceMappingURL=runpod.js.map