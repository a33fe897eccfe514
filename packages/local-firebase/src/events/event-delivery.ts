/** Brings queued events to the functions host: at least once, those of one document in order, again and again while it is away. */
import type { Logger } from '../logger.ts';
import type { EventQueue, QueuedEvent } from './event-queue.ts';

export type EventDelivery = {
  /** There are new events, or somebody new to take them. */
  wake(): void;
  close(): void;
};

export type EventDeliveryOptions = {
  queue: EventQueue;
  /** Where a function takes its events; undefined when it is subscribed no more: its events are dropped. */
  urlOf: (functionName: string) => string | undefined;
  logger: Logger;
  /** How long to wait after the host was not there; doubled each time up to the second figure. */
  retryDelaysMs?: readonly [first: number, longest: number];
};

const MAX_CONCURRENT = 16;
const READ_AHEAD = 200;

export function createEventDelivery({
  queue,
  urlOf,
  logger,
  retryDelaysMs: [firstDelayMs, longestDelayMs] = [100, 10_000],
}: EventDeliveryOptions): EventDelivery {
  const running = new Map<string, QueuedEvent>();
  const abort = new AbortController();
  let delayMs = firstDelayMs;
  let timer: NodeJS.Timeout | undefined;

  const keyOf = ({ functionName, orderingKey }: QueuedEvent) => `${functionName} ${orderingKey}`;

  function wake(): void {
    if (abort.signal.aborted || timer !== undefined) return;
    let lastId = 0;
    // What waits for the end of an earlier event of its document is passed over.
    const waiting = new Set<string>();
    while (running.size < MAX_CONCURRENT) {
      const events = queue.after(lastId, READ_AHEAD);
      for (const event of events) {
        lastId = event.id;
        const key = keyOf(event);
        const isRunning = running.get(key)?.id === event.id;
        if (!isRunning && !running.has(key) && !waiting.has(key) && running.size < MAX_CONCURRENT)
          start(event);
        waiting.add(key);
      }
      if (events.length < READ_AHEAD) return;
    }
  }

  function start(event: QueuedEvent): void {
    const key = keyOf(event);
    running.set(key, event);
    deliver(event).then(
      () => {
        if (abort.signal.aborted) return;
        queue.remove(event.id);
        running.delete(key);
        delayMs = firstDelayMs;
        wake();
      },
      (error: unknown) => {
        running.delete(key);
        if (abort.signal.aborted) return;
        logger.debug({ err: error, function: event.functionName }, 'An event could not be delivered yet');
        retryLater();
      },
    );
  }

  function retryLater(): void {
    if (timer !== undefined) return;
    timer = setTimeout(() => {
      timer = undefined;
      wake();
    }, delayMs).unref();
    delayMs = Math.min(delayMs * 2, longestDelayMs);
  }

  /** Resolves when the event is done with; rejects when it must be tried again. */
  async function deliver({ id, functionName, cloudEvent }: QueuedEvent): Promise<void> {
    const url = urlOf(functionName);
    if (url === undefined) return;
    const response = await fetch(url, {
      method: 'POST',
      headers: { 'Content-Type': 'application/cloudevents+json' },
      body: JSON.stringify({ ...(JSON.parse(cloudEvent) as object), id: `${id}` }),
      signal: abort.signal,
    });
    await response.arrayBuffer();
    if (response.ok) return;
    // The host says so for functions that ask for retries, and while it starts or stops.
    if (response.status === 503) throw new Error(`The functions host answered ${response.status}.`);
    logger.warn(
      { function: functionName, status: response.status },
      'An event was delivered and its function failed',
    );
  }

  return {
    wake,
    close() {
      abort.abort();
      clearTimeout(timer);
    },
  };
}
