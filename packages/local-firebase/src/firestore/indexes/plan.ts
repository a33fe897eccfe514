/** Turns one alternative of a query into the range of one index that holds its results in their order. */
import type { Condition } from '../disjunctions.ts';
import { NAME_FIELD } from '../field-path.ts';
import type { Cursor, Value } from '../messages.ts';
import { areEqual, compareValues } from '../order.ts';
import { databaseOf, lastSegmentOf, parentOf } from '../path.ts';
import type { SortKey } from '../query.ts';
import type { Scope } from '../scope.ts';
import { encodeNamePart, encodePart, type IndexDefinition, type IndexedField } from './definition.ts';
import { afterAllWith, typeByteOf } from './encoding.ts';
import type { KeyRange } from './index-table.ts';

/** What of a query decides where its results lie. */
export type QueryShape = {
  /** A collection or a group: other scopes have no index. */
  scope: Extract<Scope, { kind: 'collection' | 'group' }>;
  /** The last one is the document's name. */
  sortKeys: readonly SortKey[];
  startAt: Cursor | undefined;
  endAt: Cursor | undefined;
};

/** A range of an index, to be read in one direction. */
export type IndexScan = {
  definition: IndexDefinition;
  place: string;
  range: KeyRange;
  isReverse: boolean;
  /** Whether the range holds matches only (unless values were cut); otherwise documents in it must be looked at. */
  isExact: boolean;
  /** Whether the range is smaller than the index. */
  isBounded: boolean;
};

type SortKind = 'ascending' | 'descending';

/** Undefined when nothing can match. The conditions must not include the equality of a name: that needs no index. */
export function planScan(shape: QueryShape, conditions: readonly Condition[]): IndexScan | undefined {
  const equalities = new Map<string, Value>();
  const contained: Condition[] = [];
  for (const condition of conditions) {
    if (condition.op === 'ARRAY_CONTAINS') contained.push(condition);
    if (condition.op !== 'EQUAL') continue;
    const other = equalities.get(condition.fieldPath);
    if (other !== undefined && !areEqual(other, condition.value)) return undefined;
    equalities.set(condition.fieldPath, condition.value);
  }
  const equalityFields = [...equalities.keys()].sort();
  const sortKeys = shape.sortKeys.filter(({ fieldPath }) => !equalities.has(fieldPath));
  const firstSign = sortKeys[0]!.sign;
  const kindOf = ({ sign }: SortKey): SortKind => (sign === firstSign ? 'ascending' : 'descending');

  // More than one contained element would need another index; those beyond the first are looked for in the documents.
  const [container] = contained;
  const fields: IndexedField[] = [
    ...(container === undefined ? [] : [{ fieldPath: container.fieldPath, kind: 'contains' as const }]),
    ...equalityFields.map((fieldPath) => ({ fieldPath, kind: 'ascending' as const })),
    ...sortKeys.slice(0, -1).map((key) => ({ fieldPath: key.fieldPath, kind: kindOf(key) })),
  ];
  const { scope } = shape;
  const definition: IndexDefinition = {
    scope: scope.kind,
    collectionId: scope.kind === 'group' ? scope.collectionId : lastSegmentOf(scope.path),
    fields,
    nameKind: kindOf(sortKeys.at(-1)!),
  };
  const place = scope.kind === 'group' ? databaseOf(scope.parent) : scope.path;
  const prefixValues = [
    ...(container === undefined ? [] : [container.value]),
    ...equalityFields.map((fieldPath) => equalities.get(fieldPath)!),
  ];
  const prefixParts = prefixValues.map((value) => encodePart(value, 'ascending'));
  const prefix = Buffer.concat(prefixParts.map(({ bytes }) => bytes));
  const range: KeyRange = { lower: prefix, upper: afterAllWith(prefix) };
  let isBounded = prefix.length > 0;
  let isExact =
    contained.length < 2 &&
    prefixParts.every(({ isCut }) => !isCut) &&
    (scope.kind === 'collection' || scope.parent === `${place}/documents`);

  function narrow(lower: Buffer | undefined, upper: Buffer | undefined): void {
    isBounded = true;
    if (lower !== undefined && Buffer.compare(lower, range.lower) > 0) range.lower = lower;
    if (upper !== undefined && Buffer.compare(upper, range.upper) < 0) range.upper = upper;
  }

  /** A value as the index has it, undefined for a name that cannot be in it. */
  function encode({ fieldPath }: SortKey, kind: SortKind, value: Value) {
    if (fieldPath !== NAME_FIELD) return encodePart(value, kind);
    if (!('referenceValue' in value) || !isIn(shape.scope, place, value.referenceValue)) return undefined;
    return { bytes: encodeNamePart(definition, value.referenceValue), isCut: false };
  }

  for (const condition of conditions) {
    if (condition.op === 'EQUAL' || condition === container) continue;
    const key = sortKeys[0]!;
    const encoded =
      condition.fieldPath === key.fieldPath && condition.op in BOUNDS
        ? encode(key, 'ascending', condition.value)
        : undefined;
    if (encoded === undefined) isExact = false;
    else {
      const bounds = BOUNDS[condition.op]!(encoded.bytes, encoded.isCut, typeByteOf(condition.value));
      const isName = key.fieldPath === NAME_FIELD;
      narrow(
        bounds.lower && !(isName && bounds.isTypeBound === 'lower')
          ? Buffer.concat([prefix, bounds.lower])
          : undefined,
        bounds.upper && !(isName && bounds.isTypeBound === 'upper')
          ? Buffer.concat([prefix, bounds.upper])
          : undefined,
      );
      isExact &&= !encoded.isCut;
    }
  }

  /** Where a cursor sits: before or after all keys that begin with `key`, in the order of the query. */
  function positionOf(cursor: Cursor, isAfterEqual: boolean): { key: Buffer; isAfter: boolean } | undefined {
    let key = prefix;
    for (const [index, value] of (cursor.values ?? []).entries()) {
      const sortKey = shape.sortKeys[index]!;
      const fixed = equalities.get(sortKey.fieldPath);
      if (fixed !== undefined) {
        const order = compareValues(fixed, value) * sortKey.sign;
        if (order !== 0) return { key, isAfter: order < 0 };
        continue;
      }
      const isName = sortKey.fieldPath === NAME_FIELD;
      const encoded = encode(sortKey, isName ? 'ascending' : kindOf(sortKey), value);
      if (encoded === undefined || encoded.isCut) return undefined;
      key = Buffer.concat([key, encoded.bytes]);
    }
    return { key, isAfter: isAfterEqual };
  }

  const isReverse = firstSign === -1;
  const edges = [
    { cursor: shape.startAt, isStart: true },
    { cursor: shape.endAt, isStart: false },
  ];
  for (const { cursor, isStart } of edges) {
    if (cursor === undefined) continue;
    const isBefore = cursor.before ?? false;
    const position = positionOf(cursor, !isBefore);
    if (position === undefined) {
      isExact = false;
      continue;
    }
    const edge = position.isAfter !== isReverse ? afterAllWith(position.key) : position.key;
    // Going backwards, a start is the upper end of the keys.
    if (isStart !== isReverse) narrow(edge, undefined);
    else narrow(undefined, edge);
  }
  if (Buffer.compare(range.lower, range.upper) >= 0) return undefined;
  return { definition, place, range, isReverse, isExact, isBounded };
}

type Bounds = { lower: Buffer; upper: Buffer; isTypeBound: 'lower' | 'upper' };

/** Inequalities hold within one type: its first byte is the bound on the other side. */
const BOUNDS: Partial<Record<Condition['op'], (bytes: Buffer, isCut: boolean, typeByte: number) => Bounds>> =
  {
    LESS_THAN: (bytes, isCut, typeByte) => ({
      lower: Buffer.from([typeByte]),
      upper: isCut ? afterAllWith(bytes) : bytes,
      isTypeBound: 'lower',
    }),
    LESS_THAN_OR_EQUAL: (bytes, _isCut, typeByte) => ({
      lower: Buffer.from([typeByte]),
      upper: afterAllWith(bytes),
      isTypeBound: 'lower',
    }),
    GREATER_THAN: (bytes, isCut, typeByte) => ({
      lower: isCut ? bytes : afterAllWith(bytes),
      upper: Buffer.from([typeByte + 1]),
      isTypeBound: 'upper',
    }),
    GREATER_THAN_OR_EQUAL: (bytes, _isCut, typeByte) => ({
      lower: bytes,
      upper: Buffer.from([typeByte + 1]),
      isTypeBound: 'upper',
    }),
  };

function isIn(scope: QueryShape['scope'], place: string, name: string): boolean {
  return scope.kind === 'collection' ? parentOf(name) === place : name.startsWith(`${place}/documents/`);
}
