/** Turns commits into the events of Firestore triggers, for the functions that have subscribed. */
import { createEventFeed, type EventFeed } from '../events/event-feed.ts';
import type { EventQueue, NewEvent } from '../events/event-queue.ts';
import type { Logger } from '../logger.ts';
import type { Change } from './engine.ts';
import { databaseOf, lastSegmentOf, relativePath } from './path.ts';
import { messageToJson } from './protos.ts';
import { type StoredDocument, toMessage } from './stored-document.ts';

const EVENT_TYPE =
  /^google\.cloud\.firestore\.document\.v1\.(created|updated|deleted|written)(\.withAuthContext)?$/;

export type Triggers = Pick<EventFeed, 'subscribe' | 'wake' | 'close'> & {
  /** The events that a commit causes. */
  eventsOf(changes: readonly Change[], commitMicros: number): NewEvent[];
};

export function createTriggers(queue: EventQueue, logger: Logger): Triggers {
  const { subscribe, isAwaited, waitingFor, wake, close } = createEventFeed(queue, {
    isOurs: (eventType) => EVENT_TYPE.test(eventType),
    logger,
  });
  return {
    subscribe,
    eventsOf(changes, commitMicros) {
      if (!isAwaited()) return [];
      return changes.flatMap((change) =>
        waitingFor((eventType) => tellsOf(eventType, change), attributesOf(change)).map(
          ({ functionName, eventType }) => ({
            functionName,
            orderingKey: change.name,
            cloudEvent: cloudEventOf(eventType, change, commitMicros),
          }),
        ),
      );
    },
    wake,
    close,
  };
}

function tellsOf(eventType: string, { before, after }: Change): boolean {
  const verb = EVENT_TYPE.exec(eventType)?.[1];
  const happened = before === undefined ? 'created' : after === undefined ? 'deleted' : 'updated';
  return verb === 'written' || verb === happened;
}

/** What functions filter by. */
function attributesOf({ name }: Change): Record<string, string> {
  return {
    database: lastSegmentOf(databaseOf(name)),
    namespace: '(default)',
    document: relativePath(name),
  };
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
