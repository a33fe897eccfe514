/** A RunPod endpoint on this machine: its API on a port, and the worker processes that the queue asks for. */
import { randomUUID } from 'node:crypto';
import { createEndpoint } from './endpoint.ts';
import { startHttpServer } from './http-server.ts';
import { noJournal, openJobJournal } from './job-journal.ts';
import { endpointSettingsOf, type LocalRunpodOptions } from './local-options.ts';
import { platformEnvironment } from './platform-environment.ts';
import { createWorkerSupervisor, type WorkerSupervisor } from './worker-supervisor.ts';

/** A running local RunPod. */
export interface LocalRunpod {
  readonly port: number;
  /** `http://host:port`. */
  readonly url: string;
  /** What a client takes as its base URL, and RUNPOD_ENDPOINT_BASE_URL holds: `{url}/v2`. */
  readonly baseUrl: string;
  /** The environment for a worker that is started by hand. */
  workerEnvironment(workerId?: string): Record<string, string>;
  /** Stops the workers (SIGTERM, then SIGKILL), then the server. What was queued is gone, unless there is a journal. */
  close(): Promise<void>;
}

/**
 * @throws RunpodError `option_invalid` (also for a journal that cannot be used, and a fault's numbers), or
 * `port_unavailable` when the port is taken
 */
export async function startLocalRunpod(options: LocalRunpodOptions): Promise<LocalRunpod> {
  const settings = endpointSettingsOf(options);
  const { endpointId, apiKey, clock, logger, timings } = settings;
  const host = options.host ?? '127.0.0.1';
  const journal = options.journalFile === undefined ? noJournal : openJobJournal(options.journalFile);
  let supervisor: WorkerSupervisor | undefined;
  let closing: Promise<void> | undefined;

  const endpoint = createEndpoint(settings, journal, {
    onDemand: () => supervisor?.adjust(),
    onUnhealthy: (workerId) => supervisor?.replace(workerId),
    heldBackWorkers: () => supervisor?.heldBack() ?? 0,
  });
  const server = await startHttpServer({
    host,
    port: options.port ?? 0,
    handle: endpoint.handle,
    observe: options.onExchange,
    apiKey,
    clock,
  }).catch(async (error) => {
    await endpoint.close();
    journal.close();
    throw error;
  });
  const url = `http://${host.includes(':') ? `[${host}]` : host}:${server.port}`;

  function workerEnvironment(workerId: string = randomUUID()): Record<string, string> {
    return platformEnvironment({ url, endpointId, apiKey, workerId, pingIntervalMs: timings.pingIntervalMs });
  }

  if (options.worker) {
    supervisor = createWorkerSupervisor({
      program: options.worker,
      demand: endpoint.queue.demand,
      isReady: endpoint.workers.isReady,
      isBusy: endpoint.queue.hasDelivery,
      createWorkerId: randomUUID,
      environment: workerEnvironment,
      onStart: endpoint.workers.expect,
      onStopping: endpoint.drain,
      onExit: endpoint.forget,
      killAfterMs: timings.killWorkerAfterMs,
      clock,
      random: options.random ?? Math.random,
      logger,
    });
    supervisor.adjust();
  }

  async function close(): Promise<void> {
    endpoint.beginClosing();
    await supervisor?.close();
    await endpoint.close();
    await server.close();
    journal.close();
  }

  return {
    port: server.port,
    url,
    baseUrl: `${url}/v2`,
    workerEnvironment,
    close: () => {
      closing ??= close();
      return closing;
    },
  };
}
