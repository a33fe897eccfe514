/** One worker's job handler on a real local Firebase and a fixture engine, and what tests ask of it. */
import { randomUUID } from 'node:crypto';
import type { NewGeneration } from '@firepod/contract';
import type { JobContext } from '@firepod/runpod/worker';
import { expect, vi } from 'vitest';
import { type EngineHost, startEngineHost } from '../src/engines/host.ts';
import { createJobHandler } from '../src/job/job-handler.ts';
import { createSourceReader } from '../src/sources/source-reader.ts';
import { createMediaStore, type MediaStore } from '../src/storage/media-store.ts';
import { createCollectingLogger } from './collecting-logger.ts';
import { BUCKET, startTestFirebase } from './firebase.ts';
import { newGeneration, QUICK_POLICY, submit } from './generations.ts';

/** How one delivery differs from the usual. */
export interface DeliveryOptions {
  podId?: string;
  jobId?: string;
  signal?: AbortSignal;
  engine?: EngineHost;
  mediaStore?: MediaStore;
  withoutFirebase?: boolean;
}

export type TestBench = Awaited<ReturnType<typeof startTestBench>>;

/** Two attempts are enough to see a second one, and processes start slowly. */
const POLICY = { ...QUICK_POLICY, attemptsMax: 2 };

/** Starts Firebase and the engine; both serve all tests of a file. */
export async function startTestBench() {
  const firebase = await startTestFirebase();
  const engine = startFixtureEngine();
  await engine.describe();

  function openMediaStore(bucket = firebase.bucket): MediaStore {
    const { storageHost: storageEmulatorHost } = firebase;
    return createMediaStore({ bucket, mediaAccess: 'public', storageEmulatorHost, retryDelaysMs: [10] });
  }

  function read(path: string) {
    return firebase.firestore.doc(path).get();
  }

  return {
    firebase,
    engine,
    openMediaStore,
    read,

    /** What one worker does with one delivery of a job. */
    deliver(input: unknown, options: DeliveryOptions = {}) {
      const { podId = 'pod-1', jobId = 'job-1', signal = new AbortController().signal } = options;
      const progress = vi.fn<JobContext['progress']>();
      const { firestore } = firebase;
      const handler = createJobHandler({
        firebase: options.withoutFirebase
          ? null
          : { firestore, mediaStore: options.mediaStore ?? openMediaStore() },
        engine: options.engine ?? engine,
        sourcePlaces: { bucket: BUCKET, storageEmulatorHost: firebase.storageHost },
        sourceReader: createSourceReader({
          bucket: firebase.bucket,
          storageEmulatorHost: firebase.storageHost,
        }),
        ffmpegPath: null,
        policy: POLICY,
        podId,
      });
      const done = handler({ id: jobId, input }, { signal, progress, logger: createCollectingLogger() });
      done.catch(() => {}); // each test looks at it when it is ready to
      return { done, progress };
    },

    /** A generation that a user has just submitted. */
    async submitted(prompt = 'a fox'): Promise<NewGeneration> {
      const generation = newGeneration(randomUUID(), prompt);
      await submit(firebase.firestore, generation);
      return generation;
    },

    /** Resolves when the document shows this step. */
    async untilStep(path: string, step: number): Promise<void> {
      await vi.waitFor(
        async () => expect((await read(path)).get('progress.step')).toBeGreaterThanOrEqual(step),
        { timeout: 8000, interval: 20 },
      );
    },

    async close() {
      await engine.close();
      await firebase.close();
    },
  };
}

/** An engine process that misbehaves when the prompt says so. */
export function startFixtureEngine(): EngineHost {
  return startEngineHost({
    program: new URL('./fixture-engine-child.ts', import.meta.url),
    settings: { engine: 'onnx', model: 'fixture', executionProvider: 'cpu', threads: 1 },
    abortGraceMs: 1000,
    logger: createCollectingLogger(),
  });
}

/** The input that a function posts for a generation, with `fields` changed. */
export function inputFor(
  generation: { userId: string; fileUid: string },
  fields: Record<string, unknown> = {},
): Record<string, unknown> {
  const { userId: user_id, fileUid: file_uid } = generation;
  return { prompt: 'a fox', seed: 7, user_id, file_uid, use_cloud_storage: true, contract: 1, ...fields };
}

/** Storage names of a generation of `count` PNGs by the user `ada`, sorted. */
export function filesOf(fileUid: string, count: number): string[] {
  const names = Array.from({ length: count }, (_, index) => (index === 0 ? fileUid : `${fileUid}_${index}`));
  return [
    ...names.map((name) => `generating/ada/image/${name}.png`),
    ...names.map((name) => `generating/ada/thumbnail/${name}.webp`),
  ].sort();
}
