/** Events that functions wait for, kept in a service's own database: written with the change that causes them, gone once delivered. */
import type { SqliteDatabase } from '../database.ts';

/** Part of the schema of a database that has a queue. */
export const EVENT_QUEUE_SCHEMA = `
  CREATE TABLE IF NOT EXISTS events (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    function_name TEXT NOT NULL,
    ordering_key BLOB NOT NULL,
    cloud_event BLOB NOT NULL
  );
  CREATE TABLE IF NOT EXISTS event_subscriptions (id INTEGER PRIMARY KEY CHECK (id = 1), json TEXT NOT NULL)`;

/** A new event for one function. */
export type NewEvent = {
  functionName: string;
  /** Events of one function with one key are delivered one after the other, in the order in which they came. */
  orderingKey: string;
  /** A CloudEvent of JSON; its id is given by the queue. */
  cloudEvent: object;
};

export type QueuedEvent = { id: number; functionName: string; orderingKey: string; cloudEvent: string };

export type EventQueue = {
  /** Call it inside the transaction of the change. */
  add(events: readonly NewEvent[]): void;
  /** The oldest events after an id. */
  after(id: number, count: number): QueuedEvent[];
  remove(id: number): void;
  /** Who waits for what, as it was last saved: a service that starts again queues for them at once. */
  subscriptions(): string | undefined;
  saveSubscriptions(json: string): void;
};

export function createEventQueue(database: SqliteDatabase): EventQueue {
  const prepare = (sql: string) => database.prepare(sql).raw();
  const add = database.prepare(
    'INSERT INTO events (function_name, ordering_key, cloud_event) VALUES (?, ?, ?)',
  );
  const after = prepare(
    'SELECT id, function_name, ordering_key, cloud_event FROM events WHERE id > ? ORDER BY id LIMIT ?',
  );
  const remove = database.prepare('DELETE FROM events WHERE id = ?');
  const load = prepare('SELECT json FROM event_subscriptions');
  const save = database.prepare('INSERT OR REPLACE INTO event_subscriptions VALUES (1, ?)');
  return {
    add(events) {
      for (const { functionName, orderingKey, cloudEvent } of events) {
        add.run(functionName, Buffer.from(orderingKey), Buffer.from(JSON.stringify(cloudEvent)));
      }
    },
    after(id, count) {
      const rows = after.all(id, count) as [number, string, Buffer, Buffer][];
      return rows.map(([rowId, functionName, key, cloudEvent]) => ({
        id: rowId,
        functionName,
        orderingKey: key.toString(),
        cloudEvent: cloudEvent.toString(),
      }));
    },
    remove: (id) => void remove.run([id]),
    subscriptions: () => (load.get() as [string] | undefined)?.[0],
    saveSubscriptions: (json) => void save.run([json]),
  };
}
