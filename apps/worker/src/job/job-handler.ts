/** The door of the worker: checks a job's input, runs it with or without a document, and words its errors for RunPod. */
import {
  describeProblems,
  type JobInput,
  type JobOutput,
  parseJobInput,
  type SourcePlaces,
  seedFromFileUid,
  type TransitionPolicy,
} from '@firepod/contract';
import { type Handler, JobError, withFields } from '@firepod/runpod/worker';
import type { Firestore } from 'firebase-admin/firestore';
import type { Engine } from '../engines/engine.ts';
import { describeThrown, failureOf, WorkerError } from '../errors.ts';
import type { MediaStore } from '../storage/media-store.ts';
import type { StoredJobInput } from './attempt.ts';
import { runDirectJob } from './direct-job.ts';
import type { PaintOptions } from './painting.ts';
import { refuseInput } from './refusal.ts';
import { runStoredJob } from './stored-job.ts';

/** What jobs are run with. */
export interface JobHandlerOptions extends Pick<PaintOptions, 'sourceReader' | 'ffmpegPath'> {
  /** Null: jobs with `use_cloud_storage` are refused. */
  firebase: { firestore: Firestore; mediaStore: MediaStore } | null;
  /** What the door can tell of a source's address. */
  sourcePlaces: SourcePlaces;
  engine: Engine;
  policy: TransitionPolicy;
  /** This worker's id. */
  podId: string;
}

/** A handler for `startWorker`; it throws JobErrors whose code is one of the contract's. */
export function createJobHandler(options: JobHandlerOptions): Handler<unknown, JobOutput> {
  const { firebase, policy } = options;
  return async (job, context) => {
    const checked = parseJobInput(job.input, options.sourcePlaces);
    if (!checked.ok) {
      const error = describeProblems(checked.problems);
      if (firebase) {
        await refuseInput(firebase.firestore, job.input, error, policy).catch((cause) =>
          context.logger.error({}, `The refusal could not be written: ${describeThrown(cause)}`),
        );
      }
      throw new JobError(error, { code: 'invalid_argument' });
    }
    const run = {
      ...options,
      jobId: job.id,
      seed: await seedFromFileUid(checked.fileUid ?? job.id),
      signal: context.signal,
      onProgress: context.progress,
      logger: withFields(context.logger, { fileUid: checked.fileUid }),
    };
    try {
      if (isStored(checked)) return await runStoredJob({ ...run, ...stores(firebase), input: checked });
      return await runDirectJob({ ...run, input: checked, attemptsMax: policy.attemptsMax });
    } catch (error) {
      context.signal.throwIfAborted();
      if (error instanceof JobError) throw error;
      const failure = failureOf(error);
      run.logger.error({ code: failure.code }, `The job failed: ${describeThrown(error)}`);
      throw new JobError(failure.message, { ...failure, cause: error });
    }
  };
}

/** @throws WorkerError `invalid_argument` for a worker that was started without Firebase */
function stores<Stores>(firebase: Stores | null): Stores {
  if (firebase) return firebase;
  const message = 'use_cloud_storage: this worker has no Firebase (FIREPOD_FIREBASE=none); expected false.';
  throw new WorkerError('invalid_argument', message);
}

/** parseJobInput refuses cloud storage without both ids. */
function isStored(input: JobInput): input is StoredJobInput {
  return input.useCloudStorage && input.userId !== null && input.fileUid !== null;
}
