/** The worker's program: reads the environment, starts the worker, and ends it when it is told to. */
import { createPlatformLogger } from '@firepod/runpod/worker';
import { programBeside } from './child-program.ts';
import { ENGINE_ABORT_GRACE_MS, startEngineHost } from './engines/host.ts';
import { readEnvironment } from './env.ts';
import { describeThrown } from './errors.ts';
import type { FirepodWorker } from './worker.ts';

const write = (line: string) => process.stdout.write(line);

async function main(): Promise<void> {
  const environment = readEnvironment(process.env);
  const logger = createPlatformLogger({ write, level: environment.runpod.logLevel });
  let worker: FirepodWorker | undefined;
  let isTold = false;
  const stop = (signal: NodeJS.Signals) => {
    logger.info({ signal }, isTold ? 'Told to end a second time; ending at once.' : 'Told to end.');
    if (isTold || !worker) process.exit(isTold ? 1 : 0); // nothing is running yet
    isTold = true;
    worker.shutdown(environment.shutdownGraceSeconds);
  };
  process.on('SIGTERM', stop);
  process.on('SIGINT', stop);
  const engine = startEngineHost({
    program: programBeside(import.meta.url, './engines/child'),
    settings: environment.engine,
    abortGraceMs: ENGINE_ABORT_GRACE_MS,
    logger,
  });
  // A cold start counts: the engine loads its model in its own process while this one loads Firebase's SDK.
  const { startFirepodWorker } = await import('./worker.ts');
  worker = startFirepodWorker(environment, engine, logger);
  await worker.stopped;
}

main().then(
  () => process.exit(0),
  (error) => {
    createPlatformLogger({ write }).error({}, `The worker cannot run: ${describeThrown(error)}`);
    process.exit(1);
  },
);
