/** Claims a generation for one run of a job: waits for a live holder, takes over from a dead one, or finds it ended. */
import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import type { NewGeneration, Progress, TransitionPolicy } from '@firepod/contract';
import type { Logger } from '@firepod/runpod/worker';
import type { Firestore } from 'firebase-admin/firestore';
import { generationDocuments, transition } from './documents.ts';
import { type HeldGeneration, holdGeneration } from './held-generation.ts';

/** What a claim needs. */
export interface ClaimOptions {
  firestore: Firestore;
  generation: NewGeneration;
  runpodId: string;
  /** The pod; each claim adds something of its own, so that a restarted worker is another holder. */
  podId: string;
  policy: TransitionPolicy;
  /** Fires when the job is stopped: then nobody waits any longer. */
  signal: AbortSignal;
  logger: Logger;
}

/** How a claim ended. */
export type Claim =
  | { kind: 'held'; generation: HeldGeneration }
  /** It is completed or failed; `stored` is its document. */
  | { kind: 'settled'; stored: Record<string, unknown> }
  /** Its user deleted it. */
  | { kind: 'deleted' }
  /** The same `file_uid` belongs to a generation elsewhere. */
  | { kind: 'file-uid-taken' };

/** What the claim writes as progress: nothing is known yet. */
const STARTING: Progress = { phase: 'starting', step: 0, steps: 0, percent: 0, eta_seconds: null };

/** @throws the signal's reason */
export async function claimGeneration(options: ClaimOptions): Promise<Claim> {
  const { firestore, generation, runpodId, podId, policy, signal, logger } = options;
  const documents = generationDocuments(firestore, generation.path, generation.fileUid);
  const workerId = `${podId}/${randomUUID()}`;
  let hasWaited = false;
  while (true) {
    signal.throwIfAborted();
    const { decision, stored } = await transition(
      documents,
      { type: 'claim', workerId, runpodId, generation, progress: STARTING },
      policy,
    );
    switch (decision.kind) {
      case 'write': {
        // The claim may have been the one too many: then it wrote the end, and the next round reads it.
        if (decision.document?.set['status'] !== 'processing' || decision.attempt === null) continue;
        const held = { documents, workerId, attempt: decision.attempt, policy, logger };
        return { kind: 'held', generation: await holdGeneration(held) };
      }
      case 'settled':
        return { kind: 'settled', stored: stored ?? {} };
      case 'wait':
        if (!hasWaited) logger.info({}, 'Another attempt holds the generation; waiting for its end.');
        hasWaited = true;
        await pause(decision.retryAfterMs, undefined, { signal });
        break;
      case 'stop':
        return { kind: 'deleted' };
      case 'conflict':
        return { kind: 'file-uid-taken' };
    }
  }
}
