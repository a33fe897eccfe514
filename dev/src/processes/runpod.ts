/** RunPod of a stack: the endpoint's queue, and a supervisor that starts and stops the workers. */
import { createWriteStream } from 'node:fs';
import { join } from 'node:path';
import { startLocalRunpod } from '@firepod/runpod/local';
import { createConsoleLogger } from '../console-logger.ts';
import { inheritedEnvironment } from '../inherited-environment.ts';
import { openLog } from '../log-file.ts';
import { runService, tellParent } from './run-service.ts';

export interface RunpodOptions {
  host: string;
  endpointId: string;
  apiKey: string;
  /** Where the jobs that have not ended are kept. */
  dataFolder: string;
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

await runService(async ({ host, endpointId, apiKey, dataFolder, ports, worker }: RunpodOptions) => {
  const workerLog = createWriteStream(worker.logFile, { fd: openLog(worker.logFile) });
  const logger = createConsoleLogger();
  const runpod = await startLocalRunpod({
    host,
    port: ports.runpod,
    endpointId,
    apiKey,
    journalFile: join(dataFolder, 'runpod-jobs.jsonl'),
    worker: {
      command: process.execPath,
      args: [worker.program],
      env: { ...inheritedEnvironment(process.env), ...worker.env },
      minWorkers: worker.min,
      maxWorkers: worker.max,
      idleTimeoutMs: worker.idleTimeoutMs,
      onLine: (line) => workerLog.write(`${line}\n`),
    },
    logger: {
      ...logger,
      // A worker that cannot run shows nowhere else: jobs would only stay queued.
      error(fields, message) {
        logger.error(fields, message);
        tellParent({ trouble: `${message} The worker's log is ${worker.logFile}.` });
      },
    },
  });
  return { ports: { runpod: runpod.port }, close: () => runpod.close().finally(() => workerLog.end()) };
});
