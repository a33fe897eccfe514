/** Tells the local services which functions wait for their events. */
import type { EventSubscription } from '../events/subscriptions.ts';
import type { Logger } from '../logger.ts';

const RETRY_DELAY_MS = 500;

/** Goes on in the background until every service has been told: they may start later. */
export function subscribeToEvents({
  projectId,
  eventSources,
  subscriptions,
  logger,
}: {
  projectId: string;
  eventSources: readonly string[];
  subscriptions: readonly EventSubscription[];
  logger: Logger;
}): { close(): void } {
  const abort = new AbortController();
  const { signal } = abort;

  async function tell(source: string): Promise<void> {
    const url = `${source}/emulator/v1/projects/${projectId}/eventSubscriptions`;
    for (let attempt = 1; !signal.aborted; attempt++) {
      const failure = await attemptPut(url);
      if (failure === undefined) return;
      if (attempt === 1) logger.warn({ source, reason: failure }, 'events cannot be subscribed to yet');
      await new Promise((resolve) => setTimeout(resolve, RETRY_DELAY_MS).unref());
    }
  }

  /** Why it failed, or undefined. */
  async function attemptPut(url: string): Promise<string | undefined> {
    try {
      const response = await fetch(url, { method: 'PUT', body: JSON.stringify({ subscriptions }), signal });
      const text = await response.text();
      return response.ok ? undefined : `${response.status} ${text}`;
    } catch (error) {
      return signal.aborted ? undefined : String((error as Error).cause ?? error);
    }
  }

  for (const source of eventSources) void tell(source);
  return { close: () => abort.abort() };
}
