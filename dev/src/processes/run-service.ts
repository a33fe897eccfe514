/** What every service program does around its work: read options, report readiness, end with its parent. */
import { type ServiceMessage, serviceOptionsVariable } from '../service-process.ts';

/** A running service: its ports by name, and how to end it. */
export interface RunningService {
  ports: Record<string, number>;
  close(): Promise<void>;
}

/** Runs a service program's `start` with the options that its parent gave, until SIGTERM or the parent's end. */
export async function runService<Options>(
  start: (options: Options) => Promise<RunningService>,
): Promise<void> {
  let service: RunningService | undefined;
  let closing = false;
  const close = async () => {
    if (closing) return;
    closing = true;
    await service?.close();
    process.exit(0);
  };
  process.once('SIGTERM', close);
  // The channel closes when the parent ends, even by SIGKILL: no service outlives its stack.
  process.once('disconnect', close);
  try {
    service = await start(JSON.parse(process.env[serviceOptionsVariable] ?? '{}') as Options);
  } catch (error) {
    // What had been opened before the failure must not keep the process, nor its ports.
    tellParent({ failed: error instanceof Error ? error.message : String(error) }, () => process.exit(1));
    return;
  }
  tellParent({ ready: service.ports });
}

/** Sends the parent a message; one that can no longer be told is of no use to anybody. */
export function tellParent(message: ServiceMessage, sent: () => void = () => undefined): void {
  if (process.connected) process.send?.(message, sent);
  else sent();
}
