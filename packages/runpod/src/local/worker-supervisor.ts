/** Keeps as many worker processes as the queue asks for: starts, stops when idle, slows down when they crash. */
import type { Clock } from '../clock.ts';
import type { Logger } from '../logger.ts';
import { backoffMs } from '../retry.ts';
import { startWorkerProcess, type WorkerExit, type WorkerProcess } from './worker-process.ts';

/** The program and how many of it. */
export interface WorkerProgram {
  command: string;
  args: readonly string[];
  /** The worker's own environment; nothing is inherited, so that PATH must be named when the program needs it. */
  env: Readonly<Record<string, string | undefined>>;
  cwd?: string | undefined;
  /** Kept running without work; default 0. */
  minWorkers?: number | undefined;
  /** Default 1. */
  maxWorkers?: number | undefined;
  /** A worker beyond the minimum is stopped after so long without a job; default 5 000. */
  idleTimeoutMs?: number | undefined;
  /** Gets each line that a worker writes; default: the logger. */
  onLine?: ((line: string, worker: { workerId: string; stream: 'stdout' | 'stderr' }) => void) | undefined;
}

/** What the supervisor asks of, and tells, the rest. */
export interface SupervisorOptions {
  program: WorkerProgram;
  /** Jobs queued and running. */
  demand(): number;
  isReady(workerId: string): boolean;
  isBusy(workerId: string): boolean;
  createWorkerId(): string;
  /** The platform's variables for this worker. */
  environment(workerId: string): Record<string, string>;
  onStart(workerId: string): void;
  /** The worker is about to be stopped: it must get no more jobs. */
  onStopping(workerId: string): void;
  onExit(workerId: string): void;
  /** From SIGTERM to SIGKILL in milliseconds. */
  killAfterMs: number;
  clock: Clock;
  random: () => number;
  logger: Logger;
}

/** Runs until closed. */
export interface WorkerSupervisor {
  /** Starts and stops what the moment asks for; called on every change of the queue and every tick. */
  adjust(): void;
  /** Stops a worker that is not fit and starts another in its place, after the wait that a crash would cost. */
  replace(workerId: string): void;
  /** Workers that are wanted and cannot start yet: the wait after a crash holds them back. */
  heldBack(): number;
  /** Stops all workers, the running jobs with them. */
  close(): Promise<void>;
}

interface SupervisedWorker {
  process: WorkerProcess;
  startedAtMs: number;
  /** Since when it has been ready and without a job; undefined while starting or busy. */
  idleSinceMs: number | undefined;
  isStopping: boolean;
}

const CRASH_BACKOFF = { baseMs: 500, maxMs: 30_000 };
/** A process that lived so long did not fail at its start: earlier crashes are forgiven. */
const STABLE_AFTER_MS = 10_000;

/** Starts nothing before the first `adjust`. */
export function createWorkerSupervisor(options: SupervisorOptions): WorkerSupervisor {
  const { program, clock, logger } = options;
  const minWorkers = program.minWorkers ?? 0;
  const maxWorkers = Math.max(program.maxWorkers ?? 1, minWorkers);
  const idleTimeoutMs = program.idleTimeoutMs ?? 5_000;
  const workers = new Map<string, SupervisedWorker>();
  let crashes = 0;
  let mayStartAtMs = Number.NEGATIVE_INFINITY;
  let isClosed = false;

  function start(): void {
    const workerId = options.createWorkerId();
    options.onStart(workerId);
    const process = startWorkerProcess({
      command: program.command,
      args: program.args,
      env: { ...program.env, ...options.environment(workerId) },
      cwd: program.cwd,
      clock,
      onLine: (line, stream) => {
        if (program.onLine) program.onLine(line, { workerId, stream });
        else logger.info({ workerId, stream }, line);
      },
    });
    workers.set(workerId, { process, startedAtMs: clock.now(), idleSinceMs: undefined, isStopping: false });
    logger.info({ workerId, pid: process.pid }, 'A worker was started.');
    void process.exited.then((exit) => onExit(workerId, exit));
  }

  function onExit(workerId: string, exit: WorkerExit): void {
    const worker = workers.get(workerId);
    workers.delete(workerId);
    if (worker && !worker.isStopping) {
      const delayMs = slowDown(worker);
      logger.error(
        { workerId, code: exit.code, signal: exit.signal, delayMs },
        exit.failure
          ? `A worker could not be started: ${exit.failure.message}.`
          : 'A worker ended without being asked to; the next one waits.',
      );
    } else {
      logger.info({ workerId }, 'A worker was stopped.');
    }
    options.onExit(workerId);
    adjust();
  }

  /** A worker came to nothing: the next one waits, the longer the oftener that happens. */
  function slowDown(worker: SupervisedWorker): number {
    if (clock.now() - worker.startedAtMs >= STABLE_AFTER_MS) crashes = 0;
    const delayMs = backoffMs(crashes, { ...CRASH_BACKOFF, random: options.random });
    crashes += 1;
    mayStartAtMs = clock.now() + delayMs;
    return delayMs;
  }

  function wantedCount(): number {
    return Math.min(maxWorkers, Math.max(minWorkers, options.demand()));
  }

  async function stop(workerId: string, worker: SupervisedWorker): Promise<void> {
    worker.isStopping = true;
    options.onStopping(workerId);
    await worker.process.stop(options.killAfterMs);
  }

  function noteIdleness(workerId: string, worker: SupervisedWorker): void {
    const isIdle = options.isReady(workerId) && !options.isBusy(workerId);
    worker.idleSinceMs = isIdle ? (worker.idleSinceMs ?? clock.now()) : undefined;
  }

  function adjust(): void {
    if (isClosed) return;
    const kept = [...workers].filter(([, worker]) => !worker.isStopping);
    for (const [workerId, worker] of kept) noteIdleness(workerId, worker);
    const wanted = wantedCount();
    let surplus = kept.length - wanted;
    for (const [workerId, worker] of kept) {
      const hasIdledOut =
        worker.idleSinceMs !== undefined && clock.now() - worker.idleSinceMs >= idleTimeoutMs;
      if (surplus <= 0 || !hasIdledOut) continue;
      surplus -= 1;
      void stop(workerId, worker);
    }
    // Those still stopping count: the machine has only so much room.
    const room = maxWorkers - workers.size;
    if (clock.now() < mayStartAtMs) return;
    for (let missing = Math.min(wanted - kept.length, room); missing > 0; missing -= 1) start();
  }

  return {
    adjust,
    replace(workerId) {
      const worker = workers.get(workerId);
      if (!worker || worker.isStopping) return;
      const delayMs = slowDown(worker);
      logger.error({ workerId, delayMs }, 'A worker is not fit and is stopped; the next one waits.');
      void stop(workerId, worker);
    },
    heldBack: () => (clock.now() < mayStartAtMs ? Math.max(0, wantedCount() - workers.size) : 0),
    async close() {
      isClosed = true;
      await Promise.all(
        [...workers].map(([workerId, worker]) =>
          worker.isStopping ? worker.process.exited : stop(workerId, worker),
        ),
      );
    },
  };
}
