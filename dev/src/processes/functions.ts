/** The functions of a stack: `apps/functions`, mounted as the Functions runtime mounts it. */
import { startFunctionsHost } from '@firepod/local-firebase';
import { createConsoleLogger } from '../console-logger.ts';
import { runService } from './run-service.ts';

export interface FunctionsOptions {
  projectId: string;
  host: string;
  ports: { functions: number };
}

await runService(async ({ projectId, host, ports }: FunctionsOptions) => {
  const functions = await import('@firepod/functions');
  const functionsHost = await startFunctionsHost({
    projectId,
    host,
    port: ports.functions,
    functions,
    logger: createConsoleLogger(),
  });
  // Only now is the port known; functions read their parameters inside handlers, so they see it.
  process.env['FIREPOD_WEBHOOK_URL'] =
    `http://${host}:${functionsHost.port}/${projectId}/us-central1/runpodWebhook`;
  return { ports: { functions: functionsHost.port }, close: () => functionsHost.close() };
});
