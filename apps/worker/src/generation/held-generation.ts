/** A generation that this worker holds: fenced progress writes that renew the lease, and the one write that ends it. */
import {
  decide,
  type ErrorCode,
  type Progress,
  progressing,
  type Seen,
  type TransitionEvent,
  type TransitionPolicy,
} from '@firepod/contract';
import type { Logger } from '@firepod/runpod/worker';
import type { Timestamp } from 'firebase-admin/firestore';
import { WorkerError } from '../errors.ts';
import { applyWrites, type GenerationDocuments, readGeneration, transition } from './documents.ts';
import { firestoreFaultOf } from './firestore-error.ts';
import { createProgressPace } from './progress-pace.ts';

/** How an attempt to end the generation came out. `superseded`: it was ended or taken over by somebody else. */
type Ending = 'written' | 'superseded';

/** One attempt, held until it is ended, released or lost. */
export interface HeldGeneration {
  /** From 1. */
  readonly attempt: number;
  /** Fires with WorkerError `superseded` when somebody else ended the generation or took it over. */
  readonly lost: AbortSignal;
  /** Notes how far it is; the latest note is written as soon as the pace allows. */
  report(progress: Progress, preview: string | null): void;
  /** Asks Firestore whether this attempt still holds the generation. */
  isStillOurs(): Promise<boolean>;
  /** processing → completed. */
  complete(generationData: object): Promise<Ending>;
  /** processing → failed. */
  fail(code: ErrorCode, message: string): Promise<Ending>;
  /** Gives the lease back, so that the next attempt may start at once. */
  release(): Promise<void>;
}

/** What is held, and by whom. */
export interface HoldOptions {
  documents: GenerationDocuments;
  workerId: string;
  attempt: number;
  policy: TransitionPolicy;
  logger: Logger;
}

/** The lease is renewed this often within its length, however quiet the engine is. */
const RENEWALS_PER_LEASE = 3;

/** Starts to keep the lease that a claim has just taken. */
export async function holdGeneration(options: HoldOptions): Promise<HeldGeneration> {
  const { documents, workerId, attempt, policy, logger } = options;
  const holder = { workerId, attempt };
  const renewEveryMs = (policy.leaseSeconds * 1000) / RENEWALS_PER_LEASE;
  const lost = new AbortController();
  const pace = createProgressPace(performance.now());

  let latest: Progress | undefined;
  let preview: string | null = null; // not yet written; the document keeps the one before
  let isNews = false;
  let lastWriteTime: Timestamp | undefined;
  let writing: Promise<void> = Promise.resolve();
  let timer: NodeJS.Timeout | undefined;
  let isEnded = false;
  let lastAtMs = performance.now();
  await look();
  schedule();

  /** Reads where things stand: a foreign write that left the attempt ours only moves the precondition. */
  async function look(): Promise<boolean> {
    const { seen, updateTime } = await readGeneration(documents);
    const isOurs =
      decide(seen, { type: 'progress', ...holder, progress: IDLE, preview: null }, policy).kind === 'write';
    if (isOurs) {
      // Only what was read while it was ours may be a precondition: with a later time we would overwrite the winner.
      lastWriteTime = updateTime;
    } else if (!lost.signal.aborted) {
      clearTimeout(timer);
      lost.abort(new WorkerError('superseded', `The generation is no longer ours: ${whoHasIt(seen)}.`));
    }
    return isOurs;
  }

  function schedule(): void {
    clearTimeout(timer);
    if (isEnded || lost.signal.aborted) return;
    const nowMs = performance.now();
    const dueAtMs = isNews ? pace.nextAtMs() : lastAtMs + renewEveryMs;
    timer = setTimeout(
      () => {
        writing = writeProgress().finally(schedule);
      },
      Math.max(0, dueAtMs - nowMs),
    );
  }

  async function writeProgress(): Promise<void> {
    if (isEnded || lost.signal.aborted) return;
    isNews = false;
    lastAtMs = performance.now();
    pace.wrote(lastAtMs);
    try {
      await writeFenced();
    } catch (error) {
      // Whether it was written is not known: the next write finds out by its precondition, and the lease has room
      // for two that fail.
      logger.warn({ error }, 'A progress write failed; the next one will tell how things stand.');
    }
  }

  /** One RPC: the document under its precondition, and with it the lease in the job's record. */
  async function writeFenced(): Promise<void> {
    const writes = progressing({ progress: latest ?? null, preview });
    preview = null;
    const batch = documents.document.firestore.batch();
    applyWrites(batch, documents, writes, { lastUpdateTime: lastWriteTime! });
    try {
      const [result] = await batch.commit();
      lastWriteTime = result!.writeTime;
    } catch (error) {
      if (firestoreFaultOf(error) !== 'fenced') throw error;
      if (await look()) isNews = true;
    }
  }

  /** The end: no progress write may come after it, nor stand in its way. */
  async function end(event: TransitionEvent): Promise<Ending> {
    isEnded = true;
    clearTimeout(timer);
    await writing;
    const { decision, seen, stored } = await transition(documents, event, policy);
    if (decision.kind === 'write') return 'written';
    // A commit whose answer was lost is asked again and finds its own work. Only this attempt, or the webhook with
    // this attempt's output, can have completed it.
    const isOwnWork = event.type === 'complete' && seen.document?.status === 'completed';
    if (isOwnWork && seen.document?.job?.attempt === attempt) return 'written';
    logger.info({ status: stored?.['status'] }, `The end was not written: ${whoHasIt(seen)}.`);
    return 'superseded';
  }

  return {
    attempt,
    lost: lost.signal,
    report(progress, newPreview) {
      latest = progress;
      preview = newPreview ?? preview;
      if (isNews) return;
      isNews = true;
      schedule();
    },
    isStillOurs: async () => !lost.signal.aborted && (await look()),
    complete: (generationData) =>
      end({ type: 'complete', ...holder, generationData: generationData as Record<string, unknown> }),
    fail: (errorCode, error) => end({ type: 'fail', ...holder, errorCode, error }),
    async release() {
      await end({ type: 'release', ...holder });
    },
  };
}

/** Stands for progress where only the lease is meant. */
const IDLE: Progress = { phase: 'starting', step: 0, steps: 0, percent: 0, eta_seconds: null };

function whoHasIt({ tombstone, document, record }: Seen): string {
  if (tombstone || document === null) return 'it was deleted';
  if (document.status === 'completed' || document.status === 'failed') return `it is ${document.status}`;
  return `attempt ${record?.attempt ?? 'unknown'} has it`;
}
