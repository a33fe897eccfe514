/** Whatever goes wrong on the wire, in whatever order: every job ends once, and none is lost. No sockets, no real time. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createMemoryFetch } from '../../testing/memory-fetch.ts';
import { servePlainly } from '../../testing/plain-worker.ts';
import { createRunpodClient, RunpodError } from '../client/index.ts';
import { isTerminalStatus, type JobStatus } from '../job-status.ts';
import { createEndpoint } from './endpoint.ts';
import type { Fault, FaultCall, FaultRule, FaultScript } from './fault-script.ts';
import { noJournal } from './job-journal.ts';
import { endpointSettingsOf } from './local-options.ts';
import { createManualClock } from './manual-clock.ts';

/** Each run plays some minutes of two workers and five jobs; set it higher for a long search. */
const RUNS = Number(process.env['FIREPOD_FAULT_RUNS'] ?? 25);
/** On a busy machine fewer runs must do, unless a number of them was asked for. */
const PATIENCE = process.env['FIREPOD_FAULT_RUNS'] ? {} : { interruptAfterTimeLimit: 8_000 };
const STEP_MS = 250;
const LIMIT_MS = 60 * 60_000;

const anyCall = fc.constantFrom<FaultCall>(
  'job-take',
  'job-done',
  'progress',
  'job-stop',
  'ping',
  'run',
  'status',
  'cancel',
);
const delayMs = fc.constantFrom(50, 700, 4_000, 40_000);
const anyFault = fc.oneof<fc.Arbitrary<Fault>[]>(
  fc.constant({ kind: 'drop' }),
  fc.record({ kind: fc.constant('delay' as const), delayMs, of: fc.constantFrom('request', 'reply') }),
  fc.record({ kind: fc.constant('duplicate' as const), delayMs: fc.oneof(fc.constant(0), delayMs) }),
  fc.record({ kind: fc.constant('reorder' as const), atMostMs: delayMs }),
  fc.record({ kind: fc.constant('cut' as const), when: fc.constantFrom('before', 'middle', 'after') }),
  fc.record({ kind: fc.constant('answer' as const), status: fc.constantFrom(400, 429, 500, 503) }),
);
const anyRule: fc.Arbitrary<FaultRule> = fc.oneof(
  fc.record({ call: anyCall, fault: anyFault, probability: fc.constantFrom(0.1, 0.3, 0.5) }),
  fc.record({
    call: anyCall,
    fault: anyFault,
    nth: fc.array(fc.integer({ min: 1, max: 6 }), { minLength: 1 }),
  }),
);
const anyScript: fc.Arbitrary<FaultScript> = fc.record({
  seed: fc.nat(),
  rules: fc.array(anyRule, { maxLength: 6 }),
});

/** Plays `script` on two workers and five submissions, one of them cancelled on its way, until nothing is left to do. */
async function play(script: FaultScript, maxDeliveries: number) {
  const clock = createManualClock();
  const ends: { id: string; status: JobStatus; input: unknown; output: unknown }[] = [];
  const settings = endpointSettingsOf({
    endpointId: 'ep',
    apiKey: 'k',
    faults: script,
    maxDeliveries,
    rateLimits: false,
    clock,
    timings: { executionTimeoutMs: LIMIT_MS, pollHoldMs: 5_000, tickMs: 500 },
  });
  const endpoint = createEndpoint(settings, noJournal, {
    onDemand: () => {},
    onEnded: ({ id, status, input, output }) => ends.push({ id, status, input, output }),
    onUnhealthy: () => {},
    heldBackWorkers: () => 0,
  });
  const memoryFetch = createMemoryFetch(endpoint.handle);
  const stopping = new AbortController();
  const workers = ['w1', 'w2'].map((workerId) =>
    servePlainly({
      workerId,
      endpointUrl: 'http://memory/v2/ep',
      apiKey: 'k',
      fetch: memoryFetch,
      clock,
      jobMs: 2_000,
      signal: stopping.signal,
      compute: (input) => `made of ${input}`,
    }),
  );
  const client = createRunpodClient({
    baseUrl: 'http://memory/v2',
    endpointId: 'ep',
    apiKey: 'k',
    fetch: memoryFetch,
    clock,
    random: () => 0.5,
  });
  const acknowledged: string[] = [];
  const errors: unknown[] = [];
  let openCalls = 5;
  for (let input = 0; input < 5; input += 1) {
    void submit(input)
      .catch((error) => errors.push(error))
      .finally(() => {
        openCalls -= 1;
      });
  }
  async function submit(input: number): Promise<void> {
    const { id } = await client.run(input);
    acknowledged.push(id);
    if (input === 4) await client.cancel(id);
    else expect((await client.status(id)).id).toBe(id);
  }

  const isOver = () => openCalls === 0 && endpoint.queue.demand() === 0;
  let passedMs = 0;
  for (; passedMs < LIMIT_MS && !isOver(); passedMs += STEP_MS) {
    clock.advance(STEP_MS);
    await new Promise(setImmediate);
  }
  const endedAtMs = passedMs;
  // Whatever is still under way (late copies, results of lost workers) changes nothing any more.
  const atTheEnd = ends.length;
  for (passedMs = 0; passedMs < 60_000; passedMs += 1_000) {
    clock.advance(1_000);
    await new Promise(setImmediate);
  }
  const late = ends.slice(atTheEnd);
  stopping.abort();
  await endpoint.close();
  await Promise.all(workers);
  return { endpoint, ends, late, acknowledged, errors, endedAtMs };
}

test('under any fault script every job ends in exactly one terminal state, and none is lost', async () => {
  await fc.assert(
    fc.asyncProperty(anyScript, fc.constantFrom(2, 1_000), async (script, maxDeliveries) => {
      const { endpoint, ends, late, acknowledged, errors, endedAtMs } = await play(script, maxDeliveries);
      expect(endedAtMs).toBeLessThan(LIMIT_MS);
      expect(endpoint.queue.counts()).toMatchObject({ inQueue: 0, inProgress: 0 });
      const ids = ends.map(({ id }) => id);
      expect(new Set(ids).size).toBe(ids.length);
      // Only a duplicated /run makes jobs after the last caller was answered.
      const canComeLate = script.rules.some(({ call, fault }) => call === 'run' && fault.kind !== 'answer');
      if (!canComeLate) expect(late).toEqual([]);
      for (const id of acknowledged) expect(ids).toContain(id);
      for (const { id, status, input, output } of ends) {
        const job = endpoint.queue.find(id);
        expect(job).toMatchObject({ status, output });
        expect(isTerminalStatus(status)).toBe(true);
        if (status === 'COMPLETED') expect(output).toBe(`made of ${input}`);
        else if (status === 'FAILED')
          expect(job?.error).toContain(`given to a worker ${maxDeliveries} times`);
        else expect([status, input]).toEqual(['CANCELLED', 4]);
      }
      for (const error of errors) expect(error).toBeInstanceOf(RunpodError);
    }),
    { numRuns: RUNS, ...PATIENCE },
  );
});

test('one call of run makes one job at most, unless the network doubles it', async () => {
  const refusedOrCut = anyFault.filter(({ kind }) => kind !== 'duplicate');
  const rules = fc.array(
    fc.record({ call: fc.constant('run' as const), fault: refusedOrCut, probability: fc.constant(0.5) }),
    { maxLength: 3 },
  );
  await fc.assert(
    fc.asyncProperty(rules, fc.nat(), async (made, seed) => {
      const { ends, acknowledged } = await play({ rules: made, seed }, 3);
      const inputs = ends.map(({ input }) => input);
      expect(new Set(inputs).size).toBe(inputs.length);
      expect(ends.length).toBeGreaterThanOrEqual(acknowledged.length);
    }),
    { numRuns: Math.ceil(RUNS / 4), ...PATIENCE },
  );
});

test('the same script and seed make the same story twice', async () => {
  const script: FaultScript = {
    seed: 7,
    rules: [
      { call: ['job-take', 'job-done'], fault: { kind: 'cut', when: 'after' }, probability: 0.4 },
      { call: 'ping', fault: { kind: 'drop' }, probability: 0.3 },
      { call: 'progress', fault: { kind: 'delay', delayMs: 3_000 }, probability: 0.5 },
    ],
  };
  const tell = async (told: FaultScript) => {
    const { ends, endedAtMs } = await play(told, 1_000);
    return { endedAtMs, ends: ends.map(({ input, status }) => `${input} ${status}`) };
  };
  const story = await tell(script);
  expect(await tell(script)).toEqual(story);
  const others = await Promise.all([1, 2, 3].map((seed) => tell({ ...script, seed })));
  expect(others.some((other) => JSON.stringify(other) !== JSON.stringify(story))).toBe(true);
});
