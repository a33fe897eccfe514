/** Turns commits into the events of Firestore triggers, for the functions that have subscribed. */
import { createEventDelivery, type EventDelivery } from '../events/event-delivery.ts';
import type { EventQueue, NewEvent } from '../events/event-queue.ts';
import { matchesPathPattern } from '../events/path-pattern.ts';
import { type EventSubscription, parseSubscriptions } from '../events/subscriptions.ts';
import type { Logger } from '../logger.ts';
import type { Change } from './engine.ts';
import { databaseOf, lastSegmentOf, relativePath } from './path.ts';
import { messageToJson } from './protos.ts';
import { type StoredDocument, toMessage } from './stored-document.ts';

const EVENT_TYPE =
  /^google\.cloud\.firestore\.document\.v1\.(created|updated|deleted|written)(\.withAuthContext)?$/;

export type Triggers = {
  /** Replaces who waits for what. @throws LocalFirebaseError `invalid_configuration` */
  subscribe(json: string): void;
  /** The events that a commit causes. */
  eventsOf(changes: readonly Change[], commitMicros: number): NewEvent[];
  /** Events have been queued. */
  wake(): void;
  close(): void;
};

export function createTriggers(queue: EventQueue, logger: Logger): Triggers {
  const saved = queue.subscriptions();
  let subscriptions = saved === undefined ? [] : parseSubscriptions(saved);
  const delivery: EventDelivery = createEventDelivery({
    queue,
    urlOf: (functionName) => subscriptions.find((each) => each.functionName === functionName)?.url,
    logger,
  });
  // What was queued when this process last ended.
  if (subscriptions.length > 0) delivery.wake();

  return {
    subscribe(json) {
      subscriptions = parseSubscriptions(json).filter(({ eventType }) => EVENT_TYPE.test(eventType));
      queue.saveSubscriptions(JSON.stringify({ subscriptions }));
      delivery.wake();
    },
    eventsOf(changes, commitMicros) {
      if (subscriptions.length === 0) return [];
      return changes.flatMap((change) =>
        subscriptions
          .filter((subscription) => isFor(subscription, change))
          .map(({ functionName, eventType }) => ({
            functionName,
            orderingKey: change.name,
            cloudEvent: cloudEventOf(eventType, change, commitMicros),
          })),
      );
    },
    wake: delivery.wake,
    close: delivery.close,
  };
}

function isFor({ eventType, filters, pathPatterns }: EventSubscription, change: Change): boolean {
  const verb = EVENT_TYPE.exec(eventType)?.[1];
  const happened =
    change.before === undefined ? 'created' : change.after === undefined ? 'deleted' : 'updated';
  if (verb !== 'written' && verb !== happened) return false;
  const attributes: Record<string, string> = {
    database: lastSegmentOf(databaseOf(change.name)),
    namespace: '(default)',
    document: relativePath(change.name),
  };
  return (
    Object.entries(filters).every(([name, value]) => attributes[name] === value) &&
    Object.entries(pathPatterns).every(([name, pattern]) =>
      matchesPathPattern(pattern, attributes[name] ?? ''),
    )
  );
}

/** The form that firebase-functions reads, with documents as in REST. */
function cloudEventOf(type: string, { name, before, after }: Change, commitMicros: number): object {
  const [, project] = name.split('/');
  const database = databaseOf(name);
  const document = relativePath(name);
  return {
    specversion: '1.0',
    type,
    source: `//firestore.googleapis.com/${database}`,
    subject: `documents/${document}`,
    time: new Date(commitMicros / 1000).toISOString(),
    datacontenttype: 'application/json',
    project,
    database: lastSegmentOf(database),
    namespace: '(default)',
    document,
    // Who wrote is not known where commits are made.
    ...(type.endsWith('.withAuthContext') ? { authtype: 'unknown' } : {}),
    data: { ...jsonOf('oldValue', before), ...jsonOf('value', after) },
  };
}

function jsonOf(key: string, document: StoredDocument | undefined): object {
  return document === undefined ? {} : { [key]: messageToJson('Document', toMessage(document)) };
}
