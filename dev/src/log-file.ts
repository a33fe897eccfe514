/** The log files of a stack: appended to, readable by their owner, and put aside at a start when they have grown large. */
import { mkdirSync, openSync, renameSync, statSync } from 'node:fs';
import { dirname } from 'node:path';

const maximumBytes = 10 * 1024 * 1024;

/** Opens the file for appending; one that has grown large becomes `{file}.old`, which the next one replaces. */
export function openLog(file: string): number {
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  const { size = 0 } = statSync(file, { throwIfNoEntry: false }) ?? {};
  if (size > maximumBytes) renameSync(file, `${file}.old`);
  return openSync(file, 'a', 0o600);
}
