/** The workers that have been heard of: when last, what they should stop, and whether they still get jobs. */
import type { Clock } from '../clock.ts';

/** Workers by id; one exists from its first sign of life (or start) until it is forgotten. */
export interface WorkerRegistry {
  /** A process with this id has been started and has not spoken yet. */
  expect(workerId: string): void;
  /** The worker has called. */
  see(workerId: string): void;
  /** The worker has called at least once. */
  isReady(workerId: string): boolean;
  /** From now on the worker gets no jobs: it is being stopped. */
  drain(workerId: string): void;
  /** The worker has said that it is not fit: it gets no jobs, until it is forgotten. */
  markUnhealthy(workerId: string): void;
  isUnhealthy(workerId: string): boolean;
  /** It is neither being stopped nor unfit. */
  mayTake(workerId: string): boolean;
  forget(workerId: string): void;
  orderStop(workerId: string, jobId: string): void;
  revokeStop(workerId: string, jobId: string): void;
  /** The jobs to stop, told once; undefined when there are none. */
  takeStops(workerId: string): string[] | undefined;
  /** Forgets workers of unknown origin (started by hand) that have been silent for `silenceMs`. */
  forgetSilent(silenceMs: number): void;
  /** Have called, and may take jobs. */
  ready(): string[];
  /** Have been started and have not called yet. */
  initializing(): string[];
  unhealthy(): string[];
}

interface KnownWorker {
  isExpected: boolean;
  seenAtMs: number | undefined;
  isDraining: boolean;
  isUnhealthy: boolean;
  stops: Set<string>;
}

/** @param clock dates the signs of life */
export function createWorkerRegistry(clock: Clock): WorkerRegistry {
  const workers = new Map<string, KnownWorker>();

  function known(workerId: string): KnownWorker {
    let worker = workers.get(workerId);
    if (!worker) {
      worker = {
        isExpected: false,
        seenAtMs: undefined,
        isDraining: false,
        isUnhealthy: false,
        stops: new Set(),
      };
      workers.set(workerId, worker);
    }
    return worker;
  }

  function idsWhere(matches: (worker: KnownWorker) => boolean): string[] {
    return [...workers].filter(([, worker]) => matches(worker)).map(([workerId]) => workerId);
  }

  return {
    expect: (workerId) => {
      known(workerId).isExpected = true;
    },
    see: (workerId) => {
      known(workerId).seenAtMs = clock.now();
    },
    isReady: (workerId) => workers.get(workerId)?.seenAtMs !== undefined,
    drain: (workerId) => {
      known(workerId).isDraining = true;
    },
    markUnhealthy: (workerId) => {
      known(workerId).isUnhealthy = true;
    },
    isUnhealthy: (workerId) => workers.get(workerId)?.isUnhealthy ?? false,
    mayTake(workerId) {
      const worker = workers.get(workerId);
      return worker === undefined || !(worker.isDraining || worker.isUnhealthy);
    },
    forget: (workerId) => {
      workers.delete(workerId);
    },
    orderStop: (workerId, jobId) => {
      workers.get(workerId)?.stops.add(jobId);
    },
    revokeStop: (workerId, jobId) => {
      workers.get(workerId)?.stops.delete(jobId);
    },
    takeStops(workerId) {
      const stops = workers.get(workerId)?.stops;
      if (!stops || stops.size === 0) return undefined;
      const jobIds = [...stops];
      stops.clear();
      return jobIds;
    },
    forgetSilent(silenceMs) {
      for (const [workerId, { isExpected, seenAtMs }] of workers) {
        if (!isExpected && clock.now() - (seenAtMs ?? 0) >= silenceMs) workers.delete(workerId);
      }
    },
    ready: () =>
      idsWhere((worker) => worker.seenAtMs !== undefined && !worker.isDraining && !worker.isUnhealthy),
    initializing: () => idsWhere((worker) => worker.seenAtMs === undefined && !worker.isDraining),
    unhealthy: () => idsWhere((worker) => worker.isUnhealthy),
  };
}
