/** Turns changes of objects into the events of Storage triggers (onObjectFinalized, …Deleted, …MetadataUpdated), for the functions that have subscribed. */
import { createEventFeed, type EventFeed } from '../events/event-feed.ts';
import type { EventQueue } from '../events/event-queue.ts';
import type { Logger } from '../logger.ts';
import { gcsResource, type StoredObject } from './object.ts';

/** The last part of the event's type. There are no versions to archive; an object that is replaced is deleted first. */
type ObjectEventKind = 'finalized' | 'deleted' | 'metadataUpdated';

const typePrefix = 'google.cloud.storage.object.v1.';

/** Queues and delivers. Events lie in Storage's own database, so that none is lost with the process. */
export type StorageTriggers = Pick<EventFeed, 'subscribe' | 'wake' | 'close'> & {
  /** Queues the events of one change; call it inside the transaction of the change. */
  record(kind: ObjectEventKind, object: StoredObject): void;
};

/** `clock` gives milliseconds since 1970; `originOf` this server's address, for links in the events. */
export function createStorageTriggers(
  queue: EventQueue,
  { clock, originOf, logger }: { clock: () => number; originOf: () => string; logger: Logger },
): StorageTriggers {
  const { subscribe, waitingFor, wake, close } = createEventFeed(queue, {
    isOurs: (eventType) => eventType.startsWith(typePrefix),
    logger,
  });
  return {
    subscribe,
    record(kind, object) {
      const { bucket, name } = object;
      const waiting = waitingFor((eventType) => eventType === typePrefix + kind, { bucket, object: name });
      if (waiting.length === 0) return;
      const cloudEvent = cloudEventOf(kind, object, new Date(clock()).toISOString(), originOf());
      const orderingKey = `${bucket}/${name}`;
      queue.add(waiting.map(({ functionName }) => ({ functionName, orderingKey, cloudEvent })));
    },
    wake,
    close,
  };
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
