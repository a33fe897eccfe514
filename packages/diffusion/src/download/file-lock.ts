/** A lock between processes, also on different machines that share a volume: a file that its holder keeps changing. */

import { randomUUID } from 'node:crypto';
import { open, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { throwIfAborted } from '../errors.ts';

/** Milliseconds; the defaults suit a network volume. */
export interface LockTiming {
  /** How often the holder shows that it lives. */
  readonly heartbeatMs: number;
  /** Unchanged for this long, a lock counts as left behind by a process that died. Several heartbeats. */
  readonly staleMs: number;
  /** How often a waiter looks. */
  readonly pollMs: number;
}

/** A dead holder's lock is taken over after half a minute. */
export const LOCK_TIMING: LockTiming = { heartbeatMs: 5000, staleMs: 30_000, pollMs: 500 };

/**
 * Runs `action` while `path` is locked, after whoever holds the lock now. Neither process ids nor clocks are compared: they mean
 * nothing on another machine. In the rare case that a holder was only asleep, two may run at once, so the action must not rely on
 * the lock for correctness (a download is checked by its hash and renamed at once).
 */
export async function withFileLock<Result>(
  path: string,
  { signal, timing = LOCK_TIMING }: { signal: AbortSignal; timing?: LockTiming },
  action: () => Promise<Result>,
): Promise<Result> {
  const token = randomUUID();
  await acquire(path, token, signal, timing);
  const stop = new AbortController();
  const beating = beat(path, token, timing, stop.signal);
  try {
    return await action();
  } finally {
    stop.abort();
    await beating;
    if (await holds(path, token)) await rm(path, { force: true });
  }
}

/** Changes the lock's content at intervals until stopped. A beat that fails, as when a volume stalls, is made up for by the next. */
async function beat(path: string, token: string, timing: LockTiming, stop: AbortSignal): Promise<void> {
  for (let beats = 1; ; beats++) {
    await delay(timing.heartbeatMs, undefined, { signal: stop }).catch(() => undefined);
    if (stop.aborted) return;
    // Not with `w`: a lock that was taken away must not come back.
    if (await holds(path, token)) {
      await writeFile(path, `${token} ${beats}`, { flag: 'r+' }).catch(() => undefined);
    }
  }
}

async function acquire(path: string, token: string, signal: AbortSignal, timing: LockTiming): Promise<void> {
  let seen: string | undefined;
  // Looks are counted, not time: a waiter that was itself asleep has not watched the lock meanwhile.
  let unchangedLooks = 0;
  while (!(await create(path, token))) {
    throwIfAborted(signal);
    const content = await readFile(path, 'utf8').catch(() => undefined);
    unchangedLooks = content === seen ? unchangedLooks + 1 : 0;
    seen = content;
    if (content !== undefined && unchangedLooks * timing.pollMs > timing.staleMs) {
      await removeStale(path, content, token);
    }
    await delay(timing.pollMs);
  }
}

/** Creates the lock; false when it exists. */
async function create(path: string, token: string): Promise<boolean> {
  try {
    const file = await open(path, 'wx');
    await file.writeFile(`${token} 0`);
    await file.close();
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

/** Renames before it removes: of several waiters one gets the file, and sees whether it is still the one it took for stale. */
async function removeStale(path: string, content: string, token: string): Promise<void> {
  const aside = `${path}.${token}`;
  try {
    await rename(path, aside);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
    throw error;
  }
  if ((await readFile(aside, 'utf8')) === content) await rm(aside, { force: true });
  else await rename(aside, path);
}

async function holds(path: string, token: string): Promise<boolean> {
  const content = await readFile(path, 'utf8').catch(() => '');
  return content.startsWith(token);
}
