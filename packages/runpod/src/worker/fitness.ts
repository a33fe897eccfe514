/** Fitness checks: what has to hold before a worker takes its first job. */
import { type Clock, pause } from '../clock.ts';
import { describeError, RunpodError } from '../errors.ts';
import type { Logger } from '../logger.ts';

/** One thing that has to hold. */
export interface FitnessCheck {
  /** Told to the platform when the check fails, e.g. `gpu_memory`. */
  name: string;
  /** Throws when the worker is not fit; `signal` aborts when nobody waits for the answer any more. */
  run(options: { signal: AbortSignal }): Promise<void>;
  /** A check that takes longer has failed; default 60 000. */
  timeoutMs?: number | undefined;
}

/** A check that failed, and why in words. */
export interface Unfitness {
  check: string;
  reason: string;
  thrown: unknown;
}

const DEFAULT_TIMEOUT_MS = 60_000;

/**
 * Runs the checks one after the other, up to the first that fails; ends early when `signal` aborts.
 *
 * @returns the failure, or undefined when there was none
 */
export async function findUnfitness(
  checks: readonly FitnessCheck[],
  options: { signal: AbortSignal; clock: Clock; logger: Logger },
): Promise<Unfitness | undefined> {
  const { signal, clock, logger } = options;
  for (const check of checks) {
    if (signal.aborted) return undefined;
    const startedAtMs = clock.now();
    try {
      await runCheck(check, signal, clock);
    } catch (thrown) {
      // An answer to the abort says nothing about the worker.
      if (signal.aborted) return undefined;
      return { check: check.name, reason: describeError(thrown), thrown };
    }
    logger.info({ check: check.name, durationMs: clock.now() - startedAtMs }, 'A fitness check has passed.');
  }
  return undefined;
}

async function runCheck(check: FitnessCheck, signal: AbortSignal, clock: Clock): Promise<void> {
  const { name, timeoutMs = DEFAULT_TIMEOUT_MS } = check;
  const ended = new AbortController();
  const waiting = AbortSignal.any([signal, ended.signal]);
  const gaveUp = pause(clock, timeoutMs, waiting).then(() => {
    if (waiting.aborted) return;
    throw new RunpodError('timeout', `Check "${name}" has not ended within ${timeoutMs} ms`);
  });
  try {
    await Promise.race([check.run({ signal: waiting }), gaveUp]);
  } finally {
    ended.abort();
  }
}
