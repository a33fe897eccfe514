import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { STATUSES } from './document.ts';
import { readSeen, type Seen, type SeenRecord } from './seen-state.ts';
import { DEFAULT_POLICY, decide, type TransitionEvent } from './transition.ts';
import type { NewGeneration } from './transition-writes.ts';

const NOW_MS = 1_000_000;
const generation: NewGeneration = {
  path: 'generations/ada/images/f-1',
  userId: 'ada',
  fileUid: 'f-1',
  task: 'text2img',
  requestData: { prompt: 'a cat' },
  promptWords: ['a', 'cat'],
  parent: null,
  input: { prompt: 'a cat', seed: 7 },
};
const progress = { phase: 'starting', step: 0, steps: 25, percent: 0, eta_seconds: null } as const;
const nothing: Seen = { nowMs: NOW_MS, document: null, record: null, tombstone: false };
const held: SeenRecord = {
  path: generation.path,
  attempt: 1,
  runpodId: 'job-1',
  workerId: 'A1',
  leaseRenewedAtMs: NOW_MS - 1000,
  leaseSeconds: 30,
  dueAtMs: NOW_MS + 1000,
};
const processing: Seen = {
  ...nothing,
  document: { status: 'processing', job: { id: 'job-1', attempt: 1 } },
  record: held,
};
const claim: TransitionEvent = { type: 'claim', workerId: 'B1', runpodId: 'job-2', generation, progress };

describe('a submit', () => {
  it('creates the document as the design has it, and the job record beside it', () => {
    expect(decide(nothing, { type: 'submit', generation: { ...generation, parent: 'f-0' } })).toEqual({
      kind: 'write',
      attempt: 1,
      after: null,
      tombstone: null,
      document: {
        op: 'create',
        set: {
          status: 'queued',
          user_id: 'ada',
          file_uid: 'f-1',
          task_type: 'text2img',
          request_data: { prompt: 'a cat' },
          prompt_words: ['a', 'cat'],
          parent: 'f-0',
        },
        times: {},
        serverTimestamp: ['created_at', 'updated_at'],
        remove: [],
      },
      record: {
        op: 'create',
        set: {
          path: generation.path,
          user_id: 'ada',
          input: { prompt: 'a cat', seed: 7 },
          contract: 1,
          attempt: 1,
          runpod_id: null,
          worker_id: null,
          lease_renewed_at: null,
          lease_seconds: 30,
        },
        times: { due_at: NOW_MS + 60_000 },
        serverTimestamp: [],
        remove: [],
      },
    });
  });

  it('of a file_uid that exists is a conflict', () => {
    expect(decide(processing, { type: 'submit', generation })).toEqual({
      kind: 'conflict',
      reason: 'exists',
    });
  });
});

describe('a claim', () => {
  it('creates the document in full where RunPod was called directly', () => {
    const decision = decide(nothing, claim);
    expect(decision).toMatchObject({
      kind: 'write',
      attempt: 1,
      document: {
        op: 'create',
        set: {
          status: 'processing',
          request_data: { prompt: 'a cat' },
          job: { id: 'job-2', attempt: 1 },
          progress,
        },
        serverTimestamp: ['created_at', 'updated_at', 'started_at'],
      },
      record: { op: 'create', set: { worker_id: 'B1' }, serverTimestamp: ['lease_renewed_at'] },
    });
  });

  it('waits while another attempt lives, by the time of the snapshot', () => {
    expect(decide(processing, claim)).toEqual({ kind: 'wait', retryAfterMs: 2000 });
    const lapsesAtMs = NOW_MS - 1000 + 30_000;
    expect(decide({ ...processing, nowMs: lapsesAtMs - 1 }, claim).kind).toBe('wait');
    expect(decide({ ...processing, nowMs: lapsesAtMs }, claim)).toMatchObject({ kind: 'write', attempt: 2 });
  });

  it('takes over at once what its holder gave back', () => {
    const released = { ...processing, record: { ...held, leaseRenewedAtMs: null } };
    expect(decide(released, claim)).toMatchObject({
      kind: 'write',
      attempt: 2,
      document: { op: 'update', set: { job: { id: 'job-2', attempt: 2 } }, remove: ['preview'] },
    });
  });

  it('that is asked again by the same run is the same attempt', () => {
    const again = { ...claim, workerId: 'A1' };
    expect(decide(processing, again)).toMatchObject({ kind: 'write', attempt: 1 });
  });

  it('after the last attempt fails the generation', () => {
    const lapsed = { ...processing, record: { ...held, attempt: 3, leaseRenewedAtMs: 0 } };
    expect(decide(lapsed, claim)).toMatchObject({
      kind: 'write',
      document: { set: { status: 'failed', error_code: 'worker_lost' }, remove: ['progress', 'preview'] },
      record: { op: 'delete' },
    });
  });

  it("of another user's file_uid is a conflict, even before that user's document is there", () => {
    const elsewhere = { ...nothing, record: { ...held, path: 'generations/eve/images/f-1' } };
    expect(decide(elsewhere, claim)).toEqual({ kind: 'conflict', reason: 'file_uid_taken' });
  });

  it('answers with the stored result, and makes nothing that was deleted', () => {
    const done: Seen = { ...nothing, document: { status: 'completed', job: null } };
    expect(decide(done, claim)).toEqual({ kind: 'settled', status: 'completed', after: null });
    expect(decide({ ...nothing, tombstone: true }, claim)).toEqual({ kind: 'stop', reason: 'deleted' });
  });
});

describe('an end', () => {
  const holder = { attempt: 1, workerId: 'A1' };

  it('of the own attempt is one write with everything that the guide listens for', () => {
    const generationData = { image_urls: ['https://example.com/f-1.png'] };
    expect(decide(processing, { type: 'complete', generationData, ...holder })).toEqual({
      kind: 'write',
      attempt: 1,
      after: null,
      tombstone: null,
      document: {
        op: 'update',
        set: { status: 'completed', generated: true, generation_data: generationData },
        times: {},
        serverTimestamp: ['modified', 'completed_at', 'updated_at'],
        remove: ['progress', 'preview'],
      },
      record: { op: 'delete', set: {}, times: {}, serverTimestamp: [], remove: [] },
    });
  });

  it.each([{ attempt: 2 }, { workerId: 'B1' }])('by %j, who does not hold it, is refused', (other) => {
    for (const event of [
      { type: 'complete', generationData: {} },
      { type: 'fail', errorCode: 'internal', error: 'x' },
      { type: 'release' },
      { type: 'progress', progress, preview: null },
    ] as const) {
      expect(decide(processing, { ...event, ...holder, ...other })).toEqual({
        kind: 'stop',
        reason: 'superseded',
      });
    }
  });

  it('by a cancellation names the job that has to be cancelled after it', () => {
    expect(decide(processing, { type: 'cancel' })).toMatchObject({
      document: { set: { status: 'failed', error_code: 'cancelled' } },
      after: { type: 'cancel-job', runpodId: 'job-1' },
    });
  });

  it('before RunPod answered makes the function take its job back', () => {
    const cancelled: Seen = { ...nothing, document: { status: 'failed', job: null } };
    const event = { type: 'dispatched', attempt: 1, runpodId: 'job-1', queueMs: 1 } as const;
    expect(decide(cancelled, event)).toMatchObject({
      kind: 'settled',
      after: { type: 'cancel-job', runpodId: 'job-1' },
    });
  });

  it('by a worker that refuses a bad request needs no claim, but never ends what another paints', () => {
    const event = {
      type: 'refuse',
      errorCode: 'invalid_argument',
      error: 'width: 1 is not allowed.',
    } as const;
    const queued: Seen = { ...nothing, document: { status: 'queued', job: null } };
    expect(decide(queued, event)).toMatchObject({ document: { set: { error: 'width: 1 is not allowed.' } } });
    expect(decide(processing, event)).toEqual({ kind: 'stop', reason: 'superseded' });
    expect(decide(nothing, event)).toEqual({ kind: 'conflict', reason: 'not_found' });
  });
});

describe('RunPod and the sweep', () => {
  const failed = { type: 'job-failed', runpodId: 'job-1', attempt: 1, outcome: 'FAILED' } as const;

  it('reserve the next attempt, touch the document to fence the old holder, and dispatch', () => {
    expect(decide(processing, failed)).toMatchObject({
      kind: 'write',
      attempt: 2,
      after: { type: 'dispatch', attempt: 2 },
      document: { op: 'update', set: { job: { id: null, attempt: 2 } } },
      record: { op: 'update', set: { attempt: 2, worker_id: null, runpod_id: null } },
    });
  });

  it('know a job by its id, whatever attempt its webhook was made for', () => {
    expect(decide(processing, { ...failed, attempt: 9 }).kind).toBe('write');
    expect(decide(processing, { ...failed, runpodId: 'job-0' })).toEqual({
      kind: 'stop',
      reason: 'superseded',
    });
  });

  it('give RunPod a minute after a lapsed lease to deliver the job again by itself', () => {
    const lapsedAtMs = NOW_MS - 1000 + 30_000;
    expect(decide({ ...processing, nowMs: lapsedAtMs + 59_999 }, { type: 'sweep' }).kind).toBe('wait');
    expect(decide({ ...processing, nowMs: lapsedAtMs + 60_000 }, { type: 'sweep' })).toMatchObject({
      attempt: 2,
    });
  });

  it('drop a record that outlived its generation', () => {
    for (const seen of [
      { ...nothing, record: held },
      { ...nothing, record: held, tombstone: true },
    ]) {
      expect(decide(seen, { type: 'sweep' })).toMatchObject({ document: null, record: { op: 'delete' } });
    }
  });
});

const option = <Value>(value: fc.Arbitrary<Value>) => fc.option(value);
const attempt = fc.integer({ min: 1, max: 5 });
const id = fc.constantFrom('job-1', 'job-2');
const anySeen: fc.Arbitrary<Seen> = fc.record({
  nowMs: fc.constant(NOW_MS),
  tombstone: fc.boolean(),
  document: option(
    fc.record({ status: fc.constantFrom(...STATUSES), job: option(fc.record({ id: option(id), attempt })) }),
  ),
  record: option(
    fc.record({
      path: fc.constantFrom(generation.path, 'generations/eve/images/f-1', ''),
      attempt,
      runpodId: option(id),
      workerId: option(fc.constantFrom('A1', 'B1')),
      leaseRenewedAtMs: option(fc.integer({ min: 0, max: NOW_MS })),
      leaseSeconds: fc.integer({ min: 0, max: 60 }),
      dueAtMs: fc.integer({ min: 0, max: 2 * NOW_MS }),
    }),
  ),
});
const holder = { attempt, workerId: fc.constantFrom('A1', 'B1') };
const anyEvent: fc.Arbitrary<TransitionEvent> = fc.oneof(
  fc.record({ type: fc.constantFrom('sweep', 'cancel', 'remove') }),
  fc.record({ type: fc.constant('submit'), generation: fc.constant(generation) }),
  fc.record({ type: fc.constant('dispatched'), attempt, runpodId: id, queueMs: fc.nat() }),
  fc.record({ type: fc.constant('dispatch-refused'), attempt, error: fc.string() }),
  fc.constant(claim),
  fc.record({ type: fc.constant('refuse'), errorCode: fc.constant('internal'), error: fc.string() }),
  fc.record({
    type: fc.constant('progress'),
    progress: fc.constant(progress),
    preview: fc.constant(null),
    ...holder,
  }),
  fc.record({ type: fc.constant('complete'), generationData: fc.constant({}), ...holder }),
  fc.record({ type: fc.constant('fail'), errorCode: fc.constant('internal'), error: fc.string(), ...holder }),
  fc.record({ type: fc.constant('release'), ...holder }),
  fc.record({
    type: fc.constant('job-failed'),
    runpodId: id,
    attempt,
    outcome: fc.constantFrom('FAILED', 'TIMED_OUT', 'CANCELLED'),
  }),
  fc.record({ type: fc.constant('job-completed'), attempt, generationData: fc.constant({}) }),
) as fc.Arbitrary<TransitionEvent>;

describe('in any state, reachable or not, the transition function', () => {
  it('decides on any event, never rewrites an end and never goes beyond the last attempt', () => {
    fc.assert(
      fc.property(anySeen, anyEvent, (seen, event) => {
        const decision = decide(seen, event);
        expect(['write', 'wait', 'settled', 'stop', 'conflict']).toContain(decision.kind);
        if (decision.kind !== 'write') return;
        const isOver = seen.document?.status === 'completed' || seen.document?.status === 'failed';
        if (isOver && event.type !== 'remove') expect(decision.document).toBeNull();
        if (seen.tombstone) expect(decision.document).toBeNull();
        if (decision.document?.op === 'create') expect(seen.document).toBeNull();
        if (decision.record?.op === 'create') expect(seen.record).toBeNull();
        if (decision.record?.op === 'update') expect(seen.record).not.toBeNull();
        const granted = decision.record?.set['attempt'];
        if (typeof granted === 'number' && granted > DEFAULT_POLICY.attemptsMax) {
          expect(granted).toBe(seen.record?.attempt);
        }
      }),
      { numRuns: 3000 },
    );
  });
});

describe('what was read', () => {
  const toMillis = (value: unknown) => (typeof value === 'number' ? value : null);

  it('is reduced to what decides', () => {
    const document = { status: 'processing', job: { id: 'job-1', attempt: 2 }, prompt_words: ['a'] };
    const record = {
      path: 'p',
      attempt: 2,
      runpod_id: 'job-1',
      worker_id: 'A1',
      lease_renewed_at: 5,
      due_at: 9,
    };
    expect(readSeen({ nowMs: 7, document, record, tombstone: undefined }, toMillis)).toEqual({
      nowMs: 7,
      document: { status: 'processing', job: { id: 'job-1', attempt: 2 } },
      record: {
        path: 'p',
        attempt: 2,
        runpodId: 'job-1',
        workerId: 'A1',
        leaseRenewedAtMs: 5,
        leaseSeconds: 30,
        dueAtMs: 9,
      },
      tombstone: false,
    });
  });

  it('may be anything', () => {
    fc.assert(
      fc.property(fc.anything(), fc.anything(), fc.anything(), (document, record, tombstone) => {
        const seen = readSeen({ nowMs: 0, document, record, tombstone }, toMillis);
        expect(decide(seen, claim).kind).toBeTypeOf('string');
      }),
    );
  });

  it('reads a status that we do not know as open, so that the next writer mends it', () => {
    const seen = readSeen(
      { nowMs: 0, document: { status: 'paused' }, record: null, tombstone: null },
      toMillis,
    );
    expect(seen.document).toEqual({ status: 'queued', job: null });
  });
});
