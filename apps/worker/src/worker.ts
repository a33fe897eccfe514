/** Puts the worker together: an engine, Firebase, bucket and job handler around RunPod's loop. */
import { DEFAULT_POLICY } from '@firepod/contract';
import { type Logger, startWorker } from '@firepod/runpod/worker';
import type { Engine } from './engines/engine.ts';
import { ENGINE_ABORT_GRACE_MS } from './engines/host.ts';
import type { Environment } from './env.ts';
import { connectFirebase } from './firebase.ts';
import { createJobHandler } from './job/job-handler.ts';
import { publishModelCard } from './model-card.ts';
import { createMediaStore } from './storage/media-store.ts';

/** A running worker. */
export interface FirepodWorker {
  /** Resolves when it takes no more jobs, has none, and has let go of everything. */
  readonly stopped: Promise<void>;
  /** Takes no more jobs; the running one may go on for `graceSeconds`, then its lease is given back. */
  shutdown(graceSeconds: number): void;
}

/** After an abort: the engine's grace, and time to write what became of the job. */
const JOB_ABORT_GRACE_MS = ENGINE_ABORT_GRACE_MS + 5000;

/**
 * Takes jobs when the engine has its model: a worker that cannot paint must not take one. The worker closes the engine
 * in the end, also when it cannot start.
 * @throws WorkerError when the model cannot be loaded
 */
export async function startFirepodWorker(
  environment: Environment,
  engine: Engine,
  logger: Logger,
): Promise<FirepodWorker> {
  const { serviceAccount, bucket, mediaAccess, storageEmulatorHost, attemptsMax, leaseSeconds } = environment;
  const firebase = connectFirebase(serviceAccount, bucket);
  const close = async () => {
    await Promise.all([engine.close(), firebase.close()]);
  };
  const access = firebase.checkAccess(logger);
  try {
    const [{ card }, [{ status }]] = await Promise.all([engine.describe(), Promise.allSettled([access])]);
    if (status === 'fulfilled') void publishModelCard(firebase.firestore, card, logger);
  } catch (error) {
    await close();
    throw error;
  }
  const worker = startWorker({
    settings: environment.runpod,
    logger,
    abortGraceMs: JOB_ABORT_GRACE_MS,
    fitnessChecks: [{ name: 'firebase_access', run: () => access }],
    handler: createJobHandler({
      firestore: firebase.firestore,
      mediaStore: createMediaStore({ bucket: firebase.bucket, mediaAccess, storageEmulatorHost }),
      engine,
      policy: { ...DEFAULT_POLICY, attemptsMax, leaseSeconds },
      podId: environment.runpod.workerId,
    }),
  });
  return {
    stopped: worker.stopped.finally(close),
    shutdown: (graceSeconds) => void worker.shutdown({ deadlineMs: graceSeconds * 1000 }),
  };
}
