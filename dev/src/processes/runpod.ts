/** RunPod of a stack: the endpoint's queue, and a supervisor that starts and stops the workers. */
import { createWriteStream } from 'node:fs';
import { startLocalRunpod } from '@firepod/runpod/local';
import { createConsoleLogger } from '../console-logger.ts';
import { runService } from './run-service.ts';

export interface RunpodOptions {
  host: string;
  endpointId: string;
  apiKey: string;
  ports: { runpod: number };
  worker: {
    program: string;
    logFile: string;
    env: Record<string, string>;
    min: number;
    max: number;
    idleTimeoutMs: number;
  };
}

await runService(async ({ host, endpointId, apiKey, ports, worker }: RunpodOptions) => {
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
