/** Firestore's documents and values as rules see them. */
import type { Fields, Timestamp as TimestampMessage, Value } from '../firestore/messages.ts';
import { type Path, pathOf, type RulesMap, type RulesValue, type Timestamp } from './values.ts';

/** What of a stored document rules can ask for. */
export type RulesDocument = { name: string; fields: Fields };

/** Finds a document by its full name. */
export type DocumentReader = (name: string) => RulesDocument | undefined;

/** `databases/…` of a full name, which starts with the project. */
export function segmentsOf(name: string): string[] {
  return name.split('/').slice(2);
}

function pathOfName(name: string): Path {
  return pathOf(segmentsOf(name));
}

/** The `resource` of a document; null where there is none. */
export function resourceValue(document: RulesDocument | undefined): RulesMap | null {
  if (document === undefined) return null;
  const path = pathOfName(document.name);
  return new Map<string, RulesValue>([
    ['data', mapValue(document.fields)],
    ['id', path.segments.at(-1) ?? ''],
    ['__name__', path],
  ]);
}

function mapValue(fields: Fields): RulesMap {
  return new Map(Object.entries(fields).map(([key, value]) => [key, rulesValueOf(value)]));
}

export function rulesValueOf(value: Value): RulesValue {
  if ('booleanValue' in value) return value.booleanValue;
  if ('integerValue' in value) return BigInt(value.integerValue);
  if ('doubleValue' in value) return value.doubleValue;
  if ('stringValue' in value) return value.stringValue;
  if ('bytesValue' in value) return value.bytesValue;
  if ('timestampValue' in value) return timestampValue(value.timestampValue);
  if ('referenceValue' in value) return pathOfName(value.referenceValue);
  if ('geoPointValue' in value) {
    const { latitude = 0, longitude = 0 } = value.geoPointValue;
    return { kind: 'latlng', latitude, longitude };
  }
  if ('arrayValue' in value) return (value.arrayValue.values ?? []).map(rulesValueOf);
  if ('mapValue' in value) return mapValue(value.mapValue.fields ?? {});
  return null;
}

function timestampValue({ seconds = '0', nanos = 0 }: TimestampMessage): Timestamp {
  return { kind: 'timestamp', nanos: BigInt(seconds) * 1_000_000_000n + BigInt(nanos) };
}
