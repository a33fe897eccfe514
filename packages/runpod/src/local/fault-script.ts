/** Faults on purpose: which calls of the local RunPod go wrong and how, the same each time for the same seed. */
import { type Clock, pause } from '../clock.ts';
import { RunpodError } from '../errors.ts';

/**
 * A call by the name of its operation. `job-take` is the batch take too; `progress` is a post to job-done that only
 * reports progress, and `job-done` one that ends the job; `webhook` is our own call of a job's webhook.
 */
export type FaultCall =
  | 'job-take'
  | 'job-done'
  | 'progress'
  | 'job-stream'
  | 'job-stop'
  | 'ping'
  | 'run'
  | 'runsync'
  | 'status'
  | 'status-sync'
  | 'stream'
  | 'cancel'
  | 'retry'
  | 'purge-queue'
  | 'health'
  | 'webhook';

/**
 * What goes wrong. Times in milliseconds of the local RunPod's clock.
 *
 * - `drop`: the request is lost. Nothing is done and nothing answered; the caller waits until it gives up.
 * - `delay`: the request (default) or its reply arrives late.
 * - `duplicate`: the request arrives twice, the second time after `delayMs` (default 0); only the first is answered.
 * - `reorder`: the request is overtaken by the next one of the same call, or waits `atMostMs` (default 1 000) for it.
 * - `cut`: the connection breaks. `before`: nothing was done. `middle`: it was done, half of the reply arrives, and the
 *   local RunPod knows that. `after`: it was done, no reply arrives, and the local RunPod believes that it did.
 * - `answer`: refused with `status` before anything was done, with a Retry-After when `retryAfterSeconds` is given.
 */
export type Fault =
  | { kind: 'drop' }
  | { kind: 'delay'; delayMs: number; of?: 'request' | 'reply' | undefined }
  | { kind: 'duplicate'; delayMs?: number | undefined }
  | { kind: 'reorder'; atMostMs?: number | undefined }
  | { kind: 'cut'; when: 'before' | 'middle' | 'after' }
  | { kind: 'answer'; status: number; retryAfterSeconds?: number | undefined };

/** One fault and the calls that it befalls: without `nth` and `probability` all that it is about. */
export interface FaultRule {
  call: FaultCall | readonly FaultCall[];
  /** Only calls of this worker. */
  workerId?: string | undefined;
  /** Only calls about this job. */
  jobId?: string | undefined;
  /** The first (1), the second (2), …: counted over the calls that the rule is about, whatever befell them. */
  nth?: number | readonly number[] | undefined;
  /** Each call by chance, 0 to 1. */
  probability?: number | undefined;
  /** How often at most; default: without end. */
  limit?: number | undefined;
  fault: Fault;
}

/** The first rule that applies to a call decides. */
export interface FaultScript {
  rules: readonly FaultRule[];
  /** For the rules with a probability; default 1. */
  seed?: number | undefined;
}

/** A call about to be made. */
export interface FaultyCall {
  call: FaultCall;
  workerId?: string | undefined;
  jobId?: string | undefined;
}

/** A script being played. */
export interface FaultInjector {
  /** False when no rule is there: nothing needs to be found out about calls. */
  readonly isActive: boolean;
  /** Counts the call and says what befalls it. */
  choose(call: FaultyCall): Fault | undefined;
  /** Resolves when the next call of that name has been dealt with, when `atMostMs` has passed, or when `signal` aborts. */
  overtaken(call: FaultCall, atMostMs: number, signal: AbortSignal): Promise<void>;
  /** A call of that name has been dealt with. */
  passed(call: FaultCall): void;
}

/** @throws RunpodError `option_invalid` for a number that is out of bounds */
export function createFaultInjector(script: FaultScript | undefined, clock: Clock): FaultInjector {
  const rules = (script?.rules ?? []).map((rule, index) => {
    checkRule(rule, index);
    // A generator each: what one rule is about does not change the luck of the others.
    return { ...rule, random: createRandom((script?.seed ?? 1) + index * 0x9e3779b9), met: 0, fired: 0 };
  });
  const overtakes = new Map<FaultCall, Set<AbortController>>();
  return {
    isActive: rules.length > 0,
    choose(call) {
      let chosen: Fault | undefined;
      for (const rule of rules) {
        if (!isAbout(rule, call)) continue;
        rule.met += 1;
        const isHit =
          rule.nth === undefined
            ? rule.probability === undefined || rule.random() < rule.probability
            : [rule.nth].flat().includes(rule.met);
        if (!isHit || chosen !== undefined || rule.fired >= (rule.limit ?? Number.POSITIVE_INFINITY))
          continue;
        rule.fired += 1;
        chosen = rule.fault;
      }
      return chosen;
    },
    async overtaken(call, atMostMs, signal) {
      const passing = new AbortController();
      const waiting = overtakes.get(call) ?? new Set();
      overtakes.set(call, waiting.add(passing));
      await pause(clock, atMostMs, AbortSignal.any([passing.signal, signal]));
      waiting.delete(passing);
    },
    passed(call) {
      for (const passing of overtakes.get(call) ?? []) passing.abort();
    },
  };
}

function isAbout(rule: FaultRule, { call, workerId, jobId }: FaultyCall): boolean {
  return (
    [rule.call].flat().includes(call) &&
    (rule.workerId === undefined || rule.workerId === workerId) &&
    (rule.jobId === undefined || rule.jobId === jobId)
  );
}

function checkRule(rule: FaultRule, index: number): void {
  const { fault } = rule;
  check(index, 'probability', rule.probability, (value) => value >= 0 && value <= 1, '0 to 1');
  check(index, 'limit', rule.limit, (value) => value >= 0, '0 or more');
  for (const nth of [rule.nth ?? []].flat()) {
    check(index, 'nth', nth, (value) => Number.isInteger(value) && value >= 1, 'a whole number from 1');
  }
  if (rule.nth !== undefined && rule.probability !== undefined) {
    throw invalidRule(index, 'nth and probability exclude each other.');
  }
  if ('delayMs' in fault) check(index, 'delayMs', fault.delayMs, (value) => value >= 0, '0 or more');
  if ('atMostMs' in fault) check(index, 'atMostMs', fault.atMostMs, (value) => value >= 0, '0 or more');
  if (fault.kind === 'answer') {
    check(index, 'status', fault.status, (value) => value >= 400 && value <= 599, '400 to 599');
  }
}

function check(
  index: number,
  name: string,
  value: number | undefined,
  isGood: (value: number) => boolean,
  expected: string,
): void {
  if (value === undefined || isGood(value)) return;
  throw invalidRule(index, `${name} should be ${expected}, but is ${value}.`);
}

function invalidRule(index: number, complaint: string): RunpodError {
  return new RunpodError('option_invalid', `faults.rules[${index}]: ${complaint}`);
}

/** Mulberry32: 32 bits of state, numbers in [0, 1). */
function createRandom(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
