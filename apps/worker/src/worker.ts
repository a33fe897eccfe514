/** Puts the worker together: an engine, Firebase, bucket and job handler around RunPod's loop. */
import { DEFAULT_POLICY } from '@firepod/contract';
import { type Logger, startWorker } from '@firepod/runpod/worker';
import type { Engine } from './engines/engine.ts';
import { ENGINE_ABORT_GRACE_MS } from './engines/host.ts';
import type { Environment, FirebaseSettings } from './env.ts';
import { connectFirebase } from './firebase.ts';
import { createJobHandler } from './job/job-handler.ts';
import { createLargeResultRefusal } from './job/large-result.ts';
import { publishModelCard } from './model-card.ts';
import { createSourceReader } from './sources/source-reader.ts';
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
/** A large model from a network volume takes minutes, and its first download, which has time limits of its own, up to an hour. */
const MODEL_LOAD_TIMEOUT_MS = 60 * 60_000;

/**
 * Takes jobs when the engine has its model and Firebase may be used: a worker that cannot paint must not take one, and
 * RunPod is told that it is unhealthy. One job at a time, because an engine fills its GPU alone. The worker closes the
 * engine in the end, also when it was not fit: then `stopped` rejects with RunpodError `worker_unhealthy`.
 */
export function startFirepodWorker(environment: Environment, engine: Engine, logger: Logger): FirepodWorker {
  const { attemptsMax, leaseSeconds } = environment;
  const firebase = environment.firebase && openFirebase(environment.firebase, logger);
  const bucket = firebase?.bucket ?? null;
  const storageEmulatorHost = environment.firebase?.storageEmulatorHost;
  // Asked once: an engine that could not load its model would load it anew for who asks later.
  const description = engine.describe();
  if (firebase) {
    Promise.all([description, firebase.access]).then(
      ([{ card, others = [] }]) => {
        const cards = [card, ...others.map((other) => other.card)];
        return Promise.all(cards.map((each) => publishModelCard(firebase.firestore, each, logger)));
      },
      () => {}, // the fitness checks say what is wrong
    );
  }
  const worker = startWorker({
    settings: environment.runpod,
    logger,
    abortGraceMs: JOB_ABORT_GRACE_MS,
    spoolFolder: environment.spoolFolder,
    stuckAfterMs: environment.stuckAfterSeconds === 0 ? undefined : environment.stuckAfterSeconds * 1000,
    fitnessChecks: [
      ...(firebase ? [{ name: 'firebase_access', run: () => firebase.access }] : []),
      { name: 'model', run: async () => void (await description), timeoutMs: MODEL_LOAD_TIMEOUT_MS },
    ],
    offloadResult: createLargeResultRefusal({ hasStorage: firebase !== null }),
    handler: createJobHandler({
      firebase,
      sourcePlaces: { bucket: bucket?.name, storageEmulatorHost },
      sourceReader: createSourceReader({ bucket, storageEmulatorHost }),
      ffmpegPath: environment.ffmpegPath,
      engine,
      policy: { ...DEFAULT_POLICY, attemptsMax, leaseSeconds },
      podId: environment.runpod.workerId,
    }),
  });
  return {
    stopped: worker.stopped.finally(() => Promise.all([engine.close(), firebase?.close()])),
    shutdown: (graceSeconds) => void worker.shutdown({ deadlineMs: graceSeconds * 1000 }),
  };
}

/** Connects to the project; `access` settles when it is known what the account may do there. */
function openFirebase(settings: FirebaseSettings, logger: Logger) {
  const { firestore, bucket, checkAccess, close } = connectFirebase(settings.serviceAccount, settings.bucket);
  const { mediaAccess, storageEmulatorHost } = settings;
  const mediaStore = createMediaStore({ bucket, mediaAccess, storageEmulatorHost });
  return { firestore, bucket, mediaStore, access: checkAccess(logger), close };
}
