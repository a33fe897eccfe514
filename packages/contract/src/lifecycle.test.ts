import { describe, expect, it } from 'vitest';
import { ACTORS } from '../lifecycle/actors.ts';
import { describeFound, search } from '../lifecycle/search.ts';
import { createWorldModel } from '../lifecycle/world.ts';
import { ERROR_CODES } from './error-codes.ts';
import { DEFAULT_POLICY, type Decision, decide } from './transition.ts';
import { completing, failing, granting, type Writes } from './transition-writes.ts';

/** Far above what the world has; a search that needs more has lost its bounds. */
const STATES_MAX = 1_000_000;

/** What a decision comes to, as `wait` or `write failed`. */
function nameOf(decision: Decision): string {
  if (decision.kind === 'settled' || decision.kind === 'wait') return decision.kind;
  if (decision.kind !== 'write') return decision.reason;
  const { document } = decision;
  return String(document?.set['error_code'] ?? document?.set['status'] ?? document?.op ?? 'record');
}

function written(writes: Writes): Decision {
  return { kind: 'write', attempt: 1, after: null, ...writes };
}

function searchWith(decideBy: typeof decide): string {
  return describeFound(search(createWorldModel(decideBy, ACTORS), STATES_MAX));
}

/** The fault that a broken transition function leads to, and the shortest way there. */
function faultOf(broken: typeof decide): string[] {
  return searchWith(broken).split('\n');
}

describe('the lifecycle of a generation', () => {
  const outcomes: Record<string, Set<string>> = {};

  it('keeps every rule in every state that can be reached', () => {
    const observed: typeof decide = (seen, event, policy) => {
      const decision = decide(seen, event, policy);
      outcomes[event.type] ??= new Set();
      outcomes[event.type]!.add(nameOf(decision));
      return decision;
    };
    expect(searchWith(observed)).toMatch(/^[1-9]\d{5} states, no fault$/);
  }, 120_000);

  it('was searched through every outcome that the events of one generation can have', () => {
    const found = Object.entries(outcomes).map(([type, names]) => `${type}: ${[...names].sort().join(', ')}`);
    expect(found.sort()).toEqual([
      'cancel: cancelled, deleted, not_found, settled',
      'claim: deleted, processing, settled, wait, worker_lost',
      'complete: completed, deleted, settled, superseded',
      'dispatch-refused: deleted, dispatch_failed, settled, superseded',
      'dispatched: deleted, settled, superseded, update',
      'fail: deleted, out_of_memory, settled, superseded',
      'job-completed: completed, deleted, settled, superseded',
      'job-failed: cancelled, deleted, not_found, settled, superseded, timeout, update, worker_lost',
      'progress: deleted, settled, superseded, update',
      'refuse: deleted, invalid_argument, not_found, settled, superseded',
      'release: deleted, settled, superseded, update',
      'remove: delete, deleted, not_found',
      'submit: deleted, exists, queued',
      'sweep: deleted, dispatch_failed, not_found, settled, superseded, update, wait, worker_lost',
    ]);
  });
});

describe('the search finds', () => {
  it('an old attempt that completes', () => {
    expect(
      faultOf((seen, event, policy) => {
        const isOpen = seen.document?.status === 'processing' && !seen.tombstone;
        return event.type === 'complete' && isOpen
          ? written(completing(event.generationData))
          : decide(seen, event, policy);
      }),
    ).toEqual([
      'a worker that does not hold the generation writes complete',
      '1. RunPod is called directly',
      '2. worker A1 claims with job 1',
      '3. time passes',
      '4. worker B1 claims with job 1',
      '5. worker A1 completes attempt 1',
    ]);
  });

  it('a cancellation that comes after the end and is written nevertheless', () => {
    expect(
      faultOf((seen, event, policy) =>
        event.type === 'cancel' && seen.document !== null
          ? written(failing(seen, 'cancelled', ERROR_CODES.cancelled.sentence))
          : decide(seen, event, policy),
      ),
    ).toEqual([
      'a document goes from failed to failed',
      "1. the guide's function sets the document and calls RunPod",
      '2. an older worker refuses job 1',
      '3. the user cancels',
    ]);
  });

  it('a claim that does not wait for a live lease', () => {
    expect(
      faultOf((seen, event, policy) => {
        const decision = decide(seen, event, policy);
        if (event.type !== 'claim' || decision.kind !== 'wait') return decision;
        return written(granting(seen, event, { attempt: 2, seconds: 30, dueAtMs: seen.nowMs }));
      }),
    ).toEqual([
      'a live lease is taken away',
      '1. RunPod is called directly',
      '2. worker A1 claims with job 1',
      '3. worker B1 claims with job 1',
    ]);
  });

  it('attempts without end', () => {
    expect(
      faultOf((seen, event) => decide(seen, event, { ...DEFAULT_POLICY, sweepGraceMs: 0, attemptsMax: 3 })),
    ).toEqual([
      'attempt 3 of at most 2',
      '1. there is nothing',
      '2. the function submits',
      '3. time passes',
      '4. the sweep looks',
      '5. time passes',
      '6. the sweep looks',
    ]);
  });

  it('a sweep that leaves something behind', () => {
    expect(
      faultOf((seen, event, policy) =>
        event.type === 'sweep' && seen.record?.runpodId
          ? { kind: 'wait', retryAfterMs: 1 }
          : decide(seen, event, policy),
      ),
    ).toEqual([
      'an open generation that everybody has left is never ended by the sweep',
      '1. RunPod is called directly',
      '2. worker A1 claims with job 1',
    ]);
  });

  it('an output of an old attempt that completes a new one', () => {
    expect(
      faultOf((seen, event, policy) => {
        const attempt = seen.record?.attempt ?? 0;
        return decide(seen, event.type === 'job-completed' ? { ...event, attempt } : event, policy);
      }),
    ).toEqual([
      'the output of another attempt completes the generation',
      '1. RunPod is called directly',
      '2. worker A1 claims with job 1',
      '3. worker A1 cannot reach Firestore and posts the output of attempt 1',
      '4. time passes',
      '5. worker A2 claims with job 1',
      '6. the webhook brings the output of attempt 1',
    ]);
  });

  it('a generation that comes back after it was deleted', () => {
    expect(faultOf((seen, event, policy) => decide({ ...seen, tombstone: false }, event, policy))).toEqual([
      'a deleted generation is written again',
      "1. the guide's function sets the document and calls RunPod",
      '2. the user deletes',
      '3. worker A1 claims with job 1',
    ]);
  });
});
