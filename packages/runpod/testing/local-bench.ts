/** A local RunPod, a client and workers of this process for each test that asks for them. */
import { afterEach } from 'vitest';
import { createRunpodClient, type RunpodClient } from '../src/client/index.ts';
import type { ExchangeRecord } from '../src/local/exchange-record.ts';
import { type LocalRunpod, type LocalRunpodOptions, startLocalRunpod } from '../src/local/index.ts';
import {
  type Handler,
  type Logger,
  type StreamingHandler,
  settingsFrom,
  startWorker,
  type Worker,
  type WorkerOptions,
} from '../src/worker/index.ts';

const API_KEY = 'rpa_TESTKEY';
const closers: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

/** What is closed after the test, last opened first. */
export function closeAfterTest(close: () => Promise<unknown>): void {
  closers.push(close);
}

type AnyHandler = Handler<never, unknown> | StreamingHandler<never, unknown>;

/** A RunPod and what it saw. */
export interface LocalBench {
  local: LocalRunpod;
  client: RunpodClient;
  /** Exchanges that are over, of one operation. */
  exchanges(operation: string): ExchangeRecord[];
  /** Starts a worker in this process. */
  work(
    handler: AnyHandler,
    options?: Partial<WorkerOptions<never, unknown>>,
    environment?: Record<string, string | undefined>,
  ): Worker;
  /** Messages of all those workers' log lines, of level warn and error. */
  complaints: string[];
}

/** Backoffs are halved, and nothing is rate-limited. */
export async function startLocalBench(options: Partial<LocalRunpodOptions> = {}): Promise<LocalBench> {
  const records: ExchangeRecord[] = [];
  const complaints: string[] = [];
  const logger: Logger = {
    debug: () => {},
    info: () => {},
    warn: (_, message) => complaints.push(message),
    error: (_, message) => complaints.push(message),
  };
  const local = await startLocalRunpod({
    endpointId: 'local',
    apiKey: API_KEY,
    rateLimits: false,
    onExchange: (record) => records.push(record),
    ...options,
    timings: { tickMs: 50, pingIntervalMs: 100, ...options.timings },
  });
  closers.push(() => local.close());
  return {
    local,
    complaints,
    client: createRunpodClient({ baseUrl: local.baseUrl, endpointId: 'local', apiKey: API_KEY }),
    exchanges: (operation) => records.filter((record) => record.operation === operation),
    work(handler, workerOptions = {}, environment = {}) {
      const settings = settingsFrom({ ...local.workerEnvironment(), ...environment });
      const worker = startWorker<never, unknown>({
        settings,
        handler,
        logger,
        random: () => 0,
        abortGraceMs: 100,
        ...workerOptions,
      });
      closers.push(() => Promise.allSettled([worker.shutdown({ deadlineMs: 0 })]));
      return worker;
    },
  };
}
