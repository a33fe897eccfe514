/** What happened to objects, as Cloud Storage tells it to functions (onObjectFinalized, onObjectDeleted, onObjectMetadataUpdated). */
import { gcsResource, type StoredObject } from './object.ts';

/** The last part of the event's type: `google.cloud.storage.object.v1.finalized` … There are no versions to archive. */
export type ObjectEventKind = 'finalized' | 'deleted' | 'metadataUpdated';

/** One event. An object that is replaced is deleted first, as in a bucket without versions. */
export type ObjectEvent = {
  kind: ObjectEventKind;
  bucket: string;
  name: string;
  /** RFC 3339. */
  time: string;
  /** `storage#object`, the event's data. */
  resource: object;
};

/** Told of each change after it is on disk, in order; it must not throw, and nobody waits for what it starts. */
export type ObjectObserver = (event: ObjectEvent) => void;

/** `origin` is for the links in the resource. `now` is milliseconds since 1970. */
export function objectEvent(
  kind: ObjectEventKind,
  object: StoredObject,
  now: number,
  origin: string,
): ObjectEvent {
  const { bucket, name } = object;
  const time = new Date(now).toISOString();
  return { kind, bucket, name, time, resource: gcsResource(object, origin) };
}
