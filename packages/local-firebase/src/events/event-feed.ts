/** The functions that wait for one service's events: kept with its queue, and told of what concerns them. */
import type { Logger } from '../logger.ts';
import { createEventDelivery } from './event-delivery.ts';
import type { EventQueue } from './event-queue.ts';
import { matchesPathPattern } from './path-pattern.ts';
import { type EventSubscription, parseSubscriptions } from './subscriptions.ts';

/** What a service does with its subscriptions. Events are queued by the service, inside the transaction that causes them. */
export type EventFeed = {
  /** Replaces who waits for what. @throws LocalFirebaseError `invalid_configuration` */
  subscribe(json: string): void;
  isAwaited(): boolean;
  /** Who waits for an event with these attributes and a type that `isIt` knows. */
  waitingFor(
    isIt: (eventType: string) => boolean,
    attributes: Readonly<Record<string, string>>,
  ): EventSubscription[];
  /** Events have been queued. */
  wake(): void;
  close(): void;
};

/** @param isOurs whether this service has events of a type; functions that wait for others are passed over */
export function createEventFeed(
  queue: EventQueue,
  { isOurs, logger }: { isOurs: (eventType: string) => boolean; logger: Logger },
): EventFeed {
  const saved = queue.subscriptions();
  let subscriptions = saved === undefined ? [] : parseSubscriptions(saved);
  const delivery = createEventDelivery({
    queue,
    urlOf: (functionName) => subscriptions.find((each) => each.functionName === functionName)?.url,
    logger,
  });
  // What was queued when this process last ended.
  if (subscriptions.length > 0) delivery.wake();

  return {
    subscribe(json) {
      subscriptions = parseSubscriptions(json).filter(({ eventType }) => isOurs(eventType));
      queue.saveSubscriptions(JSON.stringify({ subscriptions }));
      delivery.wake();
    },
    isAwaited: () => subscriptions.length > 0,
    waitingFor: (isIt, attributes) =>
      subscriptions.filter(
        ({ eventType, filters, pathPatterns }) =>
          isIt(eventType) &&
          Object.entries(filters).every(([name, value]) => attributes[name] === value) &&
          Object.entries(pathPatterns).every(([name, pattern]) =>
            matchesPathPattern(pattern, attributes[name] ?? ''),
          ),
      ),
    wake: delivery.wake,
    close: delivery.close,
  };
}
