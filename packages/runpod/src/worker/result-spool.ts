/** Keeps results on disk until the platform has them, so that a process that dies does not take finished work with it. */
import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../clock.ts';
import { describeError } from '../errors.ts';
import type { Logger } from '../logger.ts';

/** A result that waits for its delivery. */
export interface SpooledResult {
  jobId: string;
  /** The worker that had the job, which is the one that may end it. */
  workerId: string;
  as: 'result' | 'stream-result';
  /** The body to post. */
  body: Uint8Array;
  storedAtMs: number;
}

/** Results by job. Nothing here throws: a disk that fails is logged, and the result is posted all the same. */
export interface ResultSpool {
  keep(result: SpooledResult): Promise<void>;
  /** The platform has it, or will never take it. */
  forget(result: SpooledResult): Promise<void>;
  /** What earlier processes left and what this one gave up, oldest first; not what it is delivering now. */
  leftovers(): Promise<SpooledResult[]>;
  /** This process has stopped trying: the result is a leftover from now on. */
  giveUp(result: SpooledResult): void;
}

/** RunPod forgets a job 24 hours after its submission by default: an older result has no taker. */
const MAX_AGE_MS = 24 * 60 * 60 * 1_000;

/** For a worker without a folder. */
export const noSpool: ResultSpool = {
  keep: async () => {},
  forget: async () => {},
  leftovers: async () => [],
  giveUp: () => {},
};

/**
 * One file a result: a line of JSON about it, then its body. Files name the platform in their names, so that workers of
 * several endpoints may share a folder.
 *
 * @param options.folder is made when it is missing, readable by its owner alone
 * @param options.resultUrl the template to which results of this platform are posted
 */
export function openResultSpool(options: {
  folder: string;
  resultUrl: string;
  clock: Clock;
  logger: Logger;
}): ResultSpool {
  const { folder, resultUrl, clock, logger } = options;
  const prefix = `${digest(resultUrl).slice(0, 16)}-`;
  const inDelivery = new Set<string>();

  const nameOf = ({ workerId, jobId }: SpooledResult) =>
    `${prefix}${digest(`${workerId}\n${jobId}`).slice(0, 32)}.result`;

  async function read(name: string): Promise<SpooledResult | undefined> {
    try {
      const content = await readFile(join(folder, name));
      const headEnd = content.indexOf('\n');
      const { jobId, workerId, as, storedAtMs } = JSON.parse(content.subarray(0, headEnd).toString('utf8'));
      return { jobId, workerId, as, storedAtMs, body: content.subarray(headEnd + 1) };
    } catch (error) {
      // Another worker with the same folder may have delivered it just now.
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      logger.error({ file: name }, `A kept result cannot be read and is removed: ${describeError(error)}.`);
      await rm(join(folder, name), { force: true });
      return undefined;
    }
  }

  return {
    async keep(result) {
      const name = nameOf(result);
      const { body, ...head } = result;
      inDelivery.add(name);
      try {
        await mkdir(folder, { recursive: true, mode: 0o700 });
        // Renamed when whole: a process that dies here leaves no half result.
        const draft = join(folder, `${name}.${process.pid}.draft`);
        await writeFile(draft, [`${JSON.stringify(head)}\n`, body], { mode: 0o600 });
        await rename(draft, join(folder, name));
      } catch (error) {
        logger.warn(
          { requestId: result.jobId },
          `The result could not be kept on disk: ${describeError(error)}.`,
        );
      }
    },
    async forget(result) {
      const name = nameOf(result);
      try {
        await rm(join(folder, name), { force: true });
      } catch (error) {
        logger.warn({ file: name }, `A kept result could not be removed: ${describeError(error)}.`);
      }
      inDelivery.delete(name);
    },
    giveUp: (result) => void inDelivery.delete(nameOf(result)),
    async leftovers() {
      try {
        const names = (await readdir(folder)).filter(
          (name) => name.startsWith(prefix) && name.endsWith('.result') && !inDelivery.has(name),
        );
        const found = (await Promise.all(names.map(read))).filter((result) => result !== undefined);
        const [late, timely] = [true, false].map((isLate) =>
          found.filter(({ storedAtMs }) => clock.now() - storedAtMs > MAX_AGE_MS === isLate),
        ) as [SpooledResult[], SpooledResult[]];
        for (const result of late) {
          logger.error(
            { requestId: result.jobId },
            'A result was kept for a day undelivered and is dropped.',
          );
          await rm(join(folder, nameOf(result)), { force: true });
        }
        return timely.sort((a, b) => a.storedAtMs - b.storedAtMs);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ENOENT') {
          logger.warn({}, `Kept results cannot be listed: ${describeError(error)}.`);
        }
        return [];
      }
    },
  };
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
