/** The values that conditions compute with. What JavaScript has is used as it is; the rest are tagged objects. */
import type { TypeName } from './syntax.ts';

/** Nanoseconds since 1970. */
export type Timestamp = { readonly kind: 'timestamp'; readonly nanos: bigint };
/** Nanoseconds. */
export type Duration = { readonly kind: 'duration'; readonly nanos: bigint };
export type LatLng = { readonly kind: 'latlng'; readonly latitude: number; readonly longitude: number };
export type Path = { readonly kind: 'path'; readonly segments: readonly string[] };
export type RulesList = readonly RulesValue[];
export type RulesMap = ReadonlyMap<string, RulesValue>;
/** No two elements are equal. */
export type RulesSet = { readonly kind: 'set'; readonly elements: RulesList };
/** What `after` changes about `before`. */
export type MapDiff = { readonly kind: 'map_diff'; readonly before: RulesMap; readonly after: RulesMap };

/** One thing that a query's filter says about a field whose value it leaves open. */
export type Constraint = {
  operator: '<' | '<=' | '>' | '>=' | '!=' | 'contains';
  value: RulesValue;
};

/**
 * A value that a list request leaves open, since it may differ from document to document. All but what the filter of the
 * query implies is an error to ask of it.
 */
export type Unknown = { readonly kind: 'unknown'; readonly constraints: readonly Constraint[] };

/** A map of which only some fields are known; of any other field not even whether it exists. */
export type PartialMap = { readonly kind: 'partial_map'; readonly known: RulesMap };

/** `bigint` is an int of 64 bits, `number` a float. */
export type RulesValue =
  | null
  | boolean
  | bigint
  | number
  | string
  | Uint8Array
  | RulesList
  | RulesMap
  | RulesSet
  | MapDiff
  | Timestamp
  | Duration
  | LatLng
  | Path
  | Unknown
  | PartialMap;

/** A value's type as `is` names it; `number` is int or float. Null has a type of its own. */
export type ValueType = Exclude<TypeName, 'number'> | 'null' | 'unknown';

export function typeOf(value: RulesValue): ValueType {
  switch (typeof value) {
    case 'boolean':
      return 'bool';
    case 'bigint':
      return 'int';
    case 'number':
      return 'float';
    case 'string':
      return 'string';
  }
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'list';
  if (value instanceof Uint8Array) return 'bytes';
  if (value instanceof Map) return 'map';
  const { kind } = value as Exclude<RulesValue, RulesList | RulesMap | Uint8Array | string> & {
    kind: ValueType;
  };
  return (kind as string) === 'partial_map' ? 'map' : kind;
}

/** Why a condition has no value: it counts as false, and no client learns the reason. */
export class EvaluationError extends Error {
  constructor(message: string) {
    // Conditions fail all the time, and a stack that nobody reads would cost more than evaluating them.
    const { stackTraceLimit } = Error;
    Error.stackTraceLimit = 0;
    super(message);
    Error.stackTraceLimit = stackTraceLimit;
    this.name = 'EvaluationError';
  }
}

const minInteger = -(1n << 63n);
const maxInteger = (1n << 63n) - 1n;

/** @throws EvaluationError when it does not fit into 64 bits. */
export function checkedInteger(value: bigint): bigint {
  if (value >= minInteger && value <= maxInteger) return value;
  throw new EvaluationError('Integer overflow.');
}

export const isList = (value: RulesValue): value is RulesList => Array.isArray(value);
export const isMap = (value: RulesValue): value is RulesMap => value instanceof Map;

/** Whether it is a tagged object of the kind. */
export function isKind<
  K extends 'set' | 'map_diff' | 'timestamp' | 'duration' | 'latlng' | 'path' | 'unknown' | 'partial_map',
>(value: RulesValue, kind: K): value is Extract<RulesValue, { kind: K }> {
  return typeof value === 'object' && value !== null && 'kind' in value && value.kind === kind;
}

/** A path value. */
export function pathOf(segments: readonly string[]): Path {
  return { kind: 'path', segments };
}

/** The text of a path: segments joined by slashes, with one in front. */
export function pathText({ segments }: Path): string {
  return `/${segments.join('/')}`;
}

/** How a value reads in a log line or in `debug()`. */
export function describeValue(value: RulesValue): string {
  const list = (elements: RulesList) => elements.map(describeValue).join(', ');
  const map = (entries: RulesMap) =>
    [...entries].map(([key, entry]) => `${JSON.stringify(key)}: ${describeValue(entry)}`).join(', ');
  if (typeof value === 'string') return JSON.stringify(value);
  if (value === null || typeof value !== 'object') return String(value);
  if (isList(value)) return `[${list(value)}]`;
  if (isMap(value)) return `{${map(value)}}`;
  if (value instanceof Uint8Array) return `bytes(${Buffer.from(value).toString('hex')})`;
  const tagged = value as Exclude<typeof value, RulesList | RulesMap>;
  switch (tagged.kind) {
    case 'set':
      return `set(${list(tagged.elements)})`;
    case 'map_diff':
      return `diff({${map(tagged.before)}}, {${map(tagged.after)}})`;
    case 'timestamp':
      return `timestamp(${tagged.nanos} ns)`;
    case 'duration':
      return `duration(${tagged.nanos} ns)`;
    case 'latlng':
      return `latlng(${tagged.latitude}, ${tagged.longitude})`;
    case 'path':
      return pathText(tagged);
    case 'partial_map':
      return `{${map(tagged.known)}, …}`;
    case 'unknown':
      return 'unknown';
  }
}
