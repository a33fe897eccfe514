/** Turns changes of objects into the events of Storage triggers (onObjectFinalized, …Deleted, …MetadataUpdated), for the functions that have subscribed. */
import { createEventDelivery } from '../events/event-delivery.ts';
import type { EventQueue } from '../events/event-queue.ts';
import { matchesPathPattern } from '../events/path-pattern.ts';
import { type EventSubscription, parseSubscriptions } from '../events/subscriptions.ts';
import type { Logger } from '../logger.ts';
import { gcsResource, type StoredObject } from './object.ts';

/** The last part of the event's type. There are no versions to archive; an object that is replaced is deleted first. */
type ObjectEventKind = 'finalized' | 'deleted' | 'metadataUpdated';

const typePrefix = 'google.cloud.storage.object.v1.';

/** Queues and delivers. Events lie in Storage's own database, so that none is lost with the process. */
export type StorageTriggers = {
  /** Replaces who waits for what. @throws LocalFirebaseError `invalid_configuration` */
  subscribe(json: string): void;
  /** Queues the events of one change; call it inside the transaction of the change. */
  record(kind: ObjectEventKind, object: StoredObject): void;
  /** Events have been queued. */
  wake(): void;
  close(): void;
};

/** `clock` gives milliseconds since 1970; `originOf` this server's address, for links in the events. */
export function createStorageTriggers(
  queue: EventQueue,
  { clock, originOf, logger }: { clock: () => number; originOf: () => string; logger: Logger },
): StorageTriggers {
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
      subscriptions = parseSubscriptions(json).filter(({ eventType }) => eventType.startsWith(typePrefix));
      queue.saveSubscriptions(JSON.stringify({ subscriptions }));
      delivery.wake();
    },
    record(kind, object) {
      const waiting = subscriptions.filter((subscription) => isFor(subscription, kind, object));
      if (waiting.length === 0) return;
      const cloudEvent = cloudEventOf(kind, object, new Date(clock()).toISOString(), originOf());
      const orderingKey = `${object.bucket}/${object.name}`;
      queue.add(waiting.map(({ functionName }) => ({ functionName, orderingKey, cloudEvent })));
    },
    wake: delivery.wake,
    close: delivery.close,
  };
}

function isFor(
  { eventType, filters, pathPatterns }: EventSubscription,
  kind: ObjectEventKind,
  { bucket, name }: StoredObject,
): boolean {
  const attributes: Record<string, string> = { bucket, object: name };
  return (
    eventType === typePrefix + kind &&
    Object.entries(filters).every(([attribute, value]) => attributes[attribute] === value) &&
    Object.entries(pathPatterns).every(([attribute, pattern]) =>
      matchesPathPattern(pattern, attributes[attribute] ?? ''),
    )
  );
}

/** The form that firebase-functions reads. */
function cloudEventOf(kind: ObjectEventKind, object: StoredObject, time: string, origin: string): object {
  const { bucket, name } = object;
  return {
    specversion: '1.0',
    type: typePrefix + kind,
    source: `//storage.googleapis.com/projects/_/buckets/${bucket}`,
    subject: `objects/${name}`,
    time,
    datacontenttype: 'application/json',
    bucket,
    data: gcsResource(object, origin),
  };
}
