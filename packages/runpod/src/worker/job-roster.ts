/** The jobs that a worker has: those that run and those that wait for a slot, each counted once. */
import type { Job } from './job.ts';
import type { JobRun } from './job-run.ts';

/** What a roster is made of. */
export interface JobRosterOptions<Input> {
  /** @param isExpired the shutdown's deadline has passed: the job is handed back failed, without a start */
  start(job: Job<Input>, isExpired: boolean): JobRun;
  /** Told the ids of all jobs, before a job that was added starts. */
  onChange(jobIds: string[]): void;
  onRefresh(jobId: string): void;
  /** A job ended before it had a slot. */
  onDropped(jobId: string): void;
}

/** One worker's jobs. */
export interface JobRoster<Input> {
  /** Running and waiting. */
  readonly size: number;
  has(jobId: string): boolean;
  /** How many more jobs could start at once. */
  freeSlots(): number;
  /** Starts the jobs, or lets those wait for which there is no slot. */
  add(jobs: readonly Job<Input>[]): void;
  /** More slots are filled at once; fewer only mean that no job follows those that end. */
  resize(slots: number): void;
  /** The platform withdrew the job: one that waits never starts. */
  stop(jobId: string): void;
  /** Shutdown's deadline has passed: running jobs are aborted, waiting and later ones handed back. */
  expire(): void;
  /** Resolves when a job ends next. */
  whenFreed(): Promise<void>;
  /** Resolves when there are none. */
  whenEmpty(): Promise<void>;
}

/** Starts with one slot. */
export function createJobRoster<Input>(options: JobRosterOptions<Input>): JobRoster<Input> {
  const running = new Map<string, JobRun>();
  const waiting = new Map<string, Job<Input>>();
  let waiters: (() => void)[] = [];
  let slots = 1;
  let isExpired = false;

  const size = () => running.size + waiting.size;

  function changed(): void {
    options.onChange([...running.keys(), ...waiting.keys()]);
  }

  function freed(): void {
    changed();
    const woken = waiters;
    waiters = [];
    for (const wake of woken) wake();
  }

  function startWaiting(): void {
    for (const [jobId, job] of waiting) {
      if (running.size >= slots && !isExpired) return;
      waiting.delete(jobId);
      const run = options.start(job, isExpired);
      running.set(jobId, run);
      void run.done.then(({ refreshesWorker }) => {
        running.delete(jobId);
        if (refreshesWorker) options.onRefresh(jobId);
        startWaiting();
        freed();
      });
    }
  }

  const roster: JobRoster<Input> = {
    get size() {
      return size();
    },
    has: (jobId) => running.has(jobId) || waiting.has(jobId),
    freeSlots: () => Math.max(0, slots - size()),
    add(jobs) {
      for (const job of jobs) waiting.set(job.id, job);
      changed();
      startWaiting();
    },
    resize(wanted) {
      slots = wanted;
      startWaiting();
    },
    stop(jobId) {
      running.get(jobId)?.stop();
      if (!waiting.delete(jobId)) return;
      options.onDropped(jobId);
      freed();
    },
    expire() {
      isExpired = true;
      for (const run of running.values()) run.expire();
      startWaiting();
    },
    whenFreed: () => new Promise((resolve) => waiters.push(resolve)),
    async whenEmpty() {
      while (size() > 0) await roster.whenFreed();
    },
  };
  return roster;
}
