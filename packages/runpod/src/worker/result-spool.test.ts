/** What waits on disk for the platform: kept, delivered by whoever comes next, given up for good. */
import { mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { eventually, gate, reply, setUp } from '../../testing/scripted-platform.ts';
import { createManualClock } from '../local/index.ts';
import { type Logger, silentLogger } from '../logger.ts';
import { openResultSpool, type SpooledResult } from './result-spool.ts';

const DAY_MS = 24 * 60 * 60 * 1_000;
let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'firepod-spool-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

function result(jobId: string, fields: Partial<SpooledResult> = {}): SpooledResult {
  const body = Buffer.from(JSON.stringify({ output: `of ${jobId}\n` }));
  return { jobId, workerId: 'worker-1', as: 'result', body, storedAtMs: Date.now(), ...fields };
}

function open(resultUrl = 'http://platform/job-done/$RUNPOD_POD_ID/$ID', logger: Logger = silentLogger) {
  return openResultSpool({
    folder: join(folder, 'spool'),
    resultUrl,
    clock: createManualClock(Date.now()),
    logger,
  });
}

describe('the spool', () => {
  test('gives back to the byte what another process kept, oldest first', async () => {
    const kept = [result('b', { storedAtMs: Date.now() - 5 }), result('../a', { as: 'stream-result' })];
    const earlier = open();
    for (const each of kept) await earlier.keep(each);
    expect((await stat(join(folder, 'spool'))).mode & 0o777).toBe(0o700);
    expect(await open().leftovers()).toEqual(kept);
    // The process that is delivering them has none left over until it gives one up.
    expect(await earlier.leftovers()).toEqual([]);
    earlier.giveUp(kept[1]!);
    expect(await earlier.leftovers()).toEqual([kept[1]]);
    await open().forget(kept[0]!);
    expect(await open().leftovers()).toEqual([kept[1]]);
  });

  test('holds results of other platforms apart', async () => {
    await open().keep(result('a'));
    expect(await open('http://other/$ID').leftovers()).toEqual([]);
    expect(await open().leftovers()).toHaveLength(1);
  });

  test('drops what is a day old, and what cannot be read, and says so', async () => {
    const complaints: string[] = [];
    const logger = { ...silentLogger, error: (_: object, message: string) => complaints.push(message) };
    const spool = open(undefined, logger);
    const old = result('old', { storedAtMs: Date.now() - DAY_MS - 1_000 });
    await spool.keep(old);
    spool.giveUp(old);
    const [name] = await readdir(join(folder, 'spool'));
    await writeFile(join(folder, 'spool', `${name?.split('-')[0]}-0.result`), 'no JSON');
    expect(await spool.leftovers()).toEqual([]);
    expect(await readdir(join(folder, 'spool'))).toEqual([]);
    expect(complaints).toEqual([
      expect.stringContaining('A kept result cannot be read and is removed'),
      'A result was kept for a day undelivered and is dropped.',
    ]);
  });

  test('on a disk that cannot be written is a warning, not a lost result', async () => {
    const complaints: string[] = [];
    const logger = { ...silentLogger, warn: (_: object, message: string) => complaints.push(message) };
    await writeFile(join(folder, 'spool'), 'a file where the folder should be');
    await open(undefined, logger).keep(result('a'));
    expect(complaints).toEqual([expect.stringContaining('The result could not be kept on disk')]);
  });
});

describe('a worker with a spool', () => {
  const job = { id: 'job-1', input: {} };

  test('has the result on disk before the first post, and no longer when it has arrived', async () => {
    const seenOnDisk: string[][] = [];
    const given = [job];
    await setUp(
      (call, response) => {
        if (call === 'job-take' && given.length > 0) return reply(response, 200, given.shift());
        if (call !== 'job-done') return false;
        void readdir(folder).then((names) => {
          seenOnDisk.push(names);
          reply(response, seenOnDisk.length === 1 ? 503 : 200, {});
        });
        return true;
      },
      async () => 'done',
      { spoolFolder: folder },
    );
    await eventually(() => expect(seenOnDisk).toHaveLength(2));
    expect(seenOnDisk).toEqual(Array(2).fill([expect.stringMatching(/\.result$/)]));
    await eventually(async () => expect(await readdir(folder)).toEqual([]));
  });

  test('drops a result that the platform refuses for good, with its reason', async () => {
    const complaints: string[] = [];
    const logger = { ...silentLogger, error: (_: object, message: string) => complaints.push(message) };
    const given = [job];
    const { posts } = await setUp(
      (call, response) => {
        if (call === 'job-take' && given.length > 0) return reply(response, 200, given.shift());
        return call === 'job-done' && reply(response, 404);
      },
      async () => 'done',
      { spoolFolder: folder, logger },
    );
    await eventually(() =>
      expect(complaints).toEqual([expect.stringContaining('the platform answered 404')]),
    );
    await eventually(async () => expect(await readdir(folder)).toEqual([]));
    expect(posts()).toHaveLength(1);
  });

  test('forgets the result of a job that is stopped while it is being delivered', async () => {
    const given = [job];
    const posted = gate();
    const { worker } = await setUp(
      (call, response) => {
        if (call === 'job-take' && given.length > 0) return reply(response, 200, given.shift());
        if (call === 'job-stop') {
          void posted.passed.then(() => reply(response, 200, { jobsToStop: ['job-1'] }));
          return true;
        }
        if (call !== 'job-done') return false;
        posted.open();
        return reply(response, 503);
      },
      async () => 'done',
      { spoolFolder: folder },
    );
    await posted.passed;
    await eventually(async () => expect(await readdir(folder)).toEqual([]));
    await worker.shutdown();
  });

  test('leaves it to the next when a shutdown does not wait any longer', async () => {
    const given = [job];
    const posted = gate();
    const first = await setUp(
      (call, response) => {
        if (call === 'job-take' && given.length > 0) return reply(response, 200, given.shift());
        if (call !== 'job-done') return false;
        posted.open();
        return reply(response, 503);
      },
      async () => 'done',
      { spoolFolder: folder },
    );
    await posted.passed;
    await first.worker.shutdown({ deadlineMs: 0 });
    expect(await readdir(folder)).toHaveLength(1);
  });
});
