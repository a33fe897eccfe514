/** Takes jobs for as long as the worker lives: as many as there are free slots, in one call. */
import { type Clock, pause } from '../clock.ts';
import { describeError } from '../errors.ts';
import type { Logger } from '../logger.ts';
import type { Job } from './job.ts';
import type { JobRoster } from './job-roster.ts';
import type { PlatformApi, PollReply } from './platform-api.ts';
import { createPollPace, rest } from './poll-pace.ts';

/** What a loop works with. */
export interface TakeLoopOptions<Input> {
  api: PlatformApi;
  roster: JobRoster<Input>;
  /** How many jobs may run from now on. */
  concurrency: () => number;
  /** Ends the loop and leaves the poll. */
  signal: AbortSignal;
  clock: Clock;
  random: () => number;
  logger: Logger;
}

/** While all slots are taken, how often `concurrency` is asked for more. */
const FULL_CHECK_MS = 1_000;

/** Resolves when `signal` has aborted and the last poll has brought what it still could. */
export async function takeJobs<Input>(options: TakeLoopOptions<Input>): Promise<void> {
  const { api, roster, signal, clock, logger } = options;
  const pace = createPollPace(options.random);
  while (!signal.aborted) {
    roster.resize(options.concurrency());
    const freeSlots = roster.freeSlots();
    if (freeSlots === 0) {
      await untilFreed(roster, clock, signal);
      continue;
    }
    const askedAtMs = clock.now();
    const taken = await api.take({ hasJobs: roster.size > 0, batchSize: freeSlots, signal });
    const reply = accept(taken, roster, logger);
    await rest(reply, pace.delayAfter(reply, clock.now() - askedAtMs), { signal, clock, logger });
  }
}

/** A job has ended, or it is time to ask how many may run. */
async function untilFreed(
  roster: Pick<JobRoster<unknown>, 'whenFreed'>,
  clock: Clock,
  signal: AbortSignal,
): Promise<void> {
  const waiting = new AbortController();
  const end = () => waiting.abort();
  signal.addEventListener('abort', end, { once: true });
  void roster.whenFreed().then(end);
  await pause(clock, FULL_CHECK_MS, waiting.signal);
  signal.removeEventListener('abort', end);
}

/** Adds the jobs of the reply; one that brings none that is new counts as a failed poll, so that it slows the loop. */
function accept<Input>(reply: PollReply, roster: JobRoster<Input>, logger: Logger): PollReply {
  if (reply.kind !== 'value') return reply;
  const found = Array.isArray(reply.value) ? reply.value : [reply.value];
  if (found.length === 0) return { kind: 'none' };
  const accepted = new Map<string, Job<Input>>();
  const problems: string[] = [];
  for (const candidate of found) {
    if (!isJob<Input>(candidate)) problems.push('the reply holds no job with an id');
    else if (roster.has(candidate.id) || accepted.has(candidate.id)) {
      problems.push(`job ${candidate.id} is here already`);
    } else accepted.set(candidate.id, candidate);
  }
  if (accepted.size === 0) return { kind: 'failed', reason: problems.join('; ') };
  if (problems.length > 0) logger.warn({}, `A part of a take is no use: ${problems.join('; ')}.`);
  try {
    roster.add([...accepted.values()]);
  } catch (thrown) {
    // A defect of ours, which must neither end the loop nor go unseen.
    const stack = thrown instanceof Error ? thrown.stack : undefined;
    logger.error({ stack }, `Jobs that were taken could not be started: ${describeError(thrown)}.`);
  }
  return reply;
}

function isJob<Input>(value: unknown): value is Job<Input> {
  if (typeof value !== 'object' || value === null) return false;
  const { id } = value as { id?: unknown };
  return typeof id === 'string' && id !== '';
}
