/** Storage's objects as rules see them: `resource` and `request.resource`. */
import type { ObjectFields, StoredObject } from '../storage/object.ts';
import { downloadTokensKey, objectEtag } from '../storage/object.ts';
import type { RulesMap, RulesValue, Timestamp } from './values.ts';

/** An object as it would be after the request; its hashes are known when its bytes have arrived. */
export type IncomingObject = {
  bucket: string;
  name: string;
  sizeBytes: number;
  /** Base64, as the metadata of the cloud shows them. */
  md5?: string;
  crc32c?: string;
  fields: ObjectFields;
};

/** The `resource` of an object; null where there is none. */
export function objectValue(object: StoredObject | null): RulesMap | null {
  if (object === null) return null;
  return new Map<string, RulesValue>([
    ...commonEntries(object),
    ['generation', BigInt(object.generation)],
    ['metageneration', BigInt(object.metageneration)],
    ['etag', objectEtag(object)],
    ['timeCreated', timestampOfMillis(object.createdAt)],
    ['updated', timestampOfMillis(object.updatedAt)],
  ]);
}

/** The `request.resource` of a write. */
export function incomingValue(incoming: IncomingObject, nowMs: number): RulesMap {
  return new Map<string, RulesValue>([
    ...commonEntries(incoming),
    ['timeCreated', timestampOfMillis(nowMs)],
    ['updated', timestampOfMillis(nowMs)],
  ]);
}

/** Milliseconds since 1970 as a timestamp of rules. */
export function timestampOfMillis(millis: number): Timestamp {
  return { kind: 'timestamp', nanos: BigInt(Math.trunc(millis)) * 1_000_000n };
}

function commonEntries({
  bucket,
  name,
  sizeBytes,
  md5,
  crc32c,
  fields,
}: IncomingObject): [string, RulesValue][] {
  const { contentType, contentDisposition, contentEncoding, contentLanguage, cacheControl, metadata } =
    fields;
  const { [downloadTokensKey]: _tokens, ...custom } = metadata ?? {};
  const optional = {
    md5Hash: md5,
    crc32c,
    contentDisposition,
    contentEncoding,
    contentLanguage,
    cacheControl,
  };
  return [
    ['name', name],
    ['bucket', bucket],
    ['size', BigInt(sizeBytes)],
    ['contentType', contentType ?? 'application/octet-stream'],
    ['metadata', new Map(Object.entries(custom))],
    ...Object.entries(optional).filter((entry): entry is [string, string] => entry[1] !== undefined),
  ];
}
