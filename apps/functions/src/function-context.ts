/** What every handler works with: the settings of the deployment, the generations and the RunPod endpoint. */
import { DEFAULT_POLICY } from '@firepod/contract';
import { createRunpodClient, type RunpodClient } from '@firepod/runpod/client';
import { getFirestore } from 'firebase-admin/firestore';
import { adminApp } from './admin-app.ts';
import { readSettings, type Settings } from './env.ts';
import { createGenerationStore, type GenerationStore } from './generation-store.ts';
import { log } from './log.ts';

/** Made anew for each call; it holds no connection of its own. */
export interface FunctionContext {
  readonly settings: Settings;
  readonly store: GenerationStore;
  readonly runpod: RunpodClient;
}

/** For one attempt of a call; with the retries it stays well within a callable's 60 seconds. */
const RUNPOD_TIMEOUT_MS = 10_000;
const RUNPOD_ATTEMPTS_MAX = 3;

/**
 * To be called inside handlers: at deployment the parameters have no values yet.
 *
 * @throws {FirepodFunctionsError} `settings_invalid`
 */
export function createFunctionContext(): FunctionContext {
  const settings = readSettings();
  const { attemptsMax, leaseSeconds } = settings;
  return {
    settings,
    store: createGenerationStore(getFirestore(adminApp()), { ...DEFAULT_POLICY, attemptsMax, leaseSeconds }),
    runpod: createRunpodClient({
      ...settings.runpod,
      timeoutMs: RUNPOD_TIMEOUT_MS,
      maxAttempts: RUNPOD_ATTEMPTS_MAX,
      logger: log,
    }),
  };
}
