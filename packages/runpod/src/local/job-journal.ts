/** The jobs that have not ended, on disk: RunPod's queue outlives its machines, so the local one outlives its process. */
import {
  appendFileSync,
  closeSync,
  fsyncSync,
  openSync,
  readFileSync,
  renameSync,
  writeFileSync,
} from 'node:fs';
import { RunpodError } from '../errors.ts';
import type { Submission } from './queued-job.ts';

/** A job as it was submitted, and when. */
type JournaledJob = Submission & { submittedAtMs: number };

/** Appends one line a change. */
export interface JobJournal {
  /** What had not ended when the journal was opened, oldest first. */
  readonly unended: readonly JournaledJob[];
  /** Returns when the job would survive the end of this process. */
  add(job: JournaledJob): void;
  remove(jobId: string): void;
  close(): void;
}

type Line = { submitted: JournaledJob } | { ended: string };

/** Keeps nothing; for queues that may be lost. */
export const noJournal: JobJournal = { unended: [], add() {}, remove() {}, close() {} };

/**
 * Opens the file, made on demand, and rewrites it without the jobs that have ended.
 *
 * @throws RunpodError `option_invalid` when the file cannot be read or written
 */
export function openJobJournal(file: string): JobJournal {
  try {
    const unended = readUnended(file);
    const compacted = `${file}.new`;
    writeFileSync(compacted, unended.map((job) => lineOf({ submitted: job })).join(''), { mode: 0o600 });
    renameSync(compacted, file);
    const descriptor = openSync(file, 'a');
    return {
      unended,
      add(job) {
        appendFileSync(descriptor, lineOf({ submitted: job }));
        fsyncSync(descriptor);
      },
      // Not waited for on the disk: a job that is done again is answered with its stored result.
      remove: (jobId) => appendFileSync(descriptor, lineOf({ ended: jobId })),
      close: () => closeSync(descriptor),
    };
  } catch (cause) {
    throw new RunpodError(
      'option_invalid',
      `journalFile: ${file} cannot be used: ${(cause as Error).message}.`,
      { cause },
    );
  }
}

function readUnended(file: string): JournaledJob[] {
  const jobs = new Map<string, JournaledJob>();
  for (const text of readIfThere(file).split('\n')) {
    const line = parseLine(text);
    if (line === undefined) continue;
    if ('submitted' in line) jobs.set(line.submitted.id, line.submitted);
    else jobs.delete(line.ended);
  }
  return [...jobs.values()];
}

function readIfThere(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return '';
    throw error;
  }
}

/** Undefined for the line that a killed process left half-written: its job was never acknowledged. */
function parseLine(text: string): Line | undefined {
  try {
    return JSON.parse(text) as Line;
  } catch {
    return undefined;
  }
}

function lineOf(line: Line): string {
  return `${JSON.stringify(line)}\n`;
}
