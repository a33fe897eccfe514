/** How many jobs a worker runs at a time, as its author's modifier says. */
import { describeError } from '../errors.ts';
import type { Logger } from '../logger.ts';

/**
 * Asked before every take, and every second while all slots are taken, with the number of slots that there are; returns
 * how many there should be.
 */
export type ConcurrencyModifier = (current: number) => number;

/** One job at a time unless told otherwise: image and video engines fill a GPU alone. */
const INITIAL_CONCURRENCY = 1;

/** @returns gives the number of slots from now on; a modifier that throws or returns no whole number changes nothing and is logged */
export function createConcurrency(modifier: ConcurrencyModifier | undefined, logger: Logger): () => number {
  let current = INITIAL_CONCURRENCY;
  return () => {
    if (!modifier) return current;
    try {
      const wanted = modifier(current);
      if (Number.isSafeInteger(wanted) && wanted >= 1) current = wanted;
      else {
        logger.error({ wanted }, `concurrencyModifier should return a whole number from 1, not ${wanted}.`);
      }
    } catch (thrown) {
      logger.error({}, `concurrencyModifier failed: ${describeError(thrown)}.`);
    }
    return current;
  };
}
