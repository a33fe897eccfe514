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

/** Undefined when nothing can match. The conditions must not include the equality of a name: that needs no index. */
export function planScan(shape: QueryShape, conditions: readonly Condition[]): IndexScan | undefined {
  const equalities = equalitiesOf(conditions);
  if (equalities === undefined) return undefined;
  // A second contained element would need another index: it is looked for in the documents.
  const container = conditions.find(({ op }) => op === 'ARRAY_CONTAINS');
  const layout = layoutOf(shape, equalities, container);
  const prefixParts = layout.prefixValues.map((value) => encodePart(value, 'ascending'));
  const prefix = Buffer.concat(prefixParts.map(({ bytes }) => bytes));
  const bounds = [
    ...conditions
      .filter((condition) => condition.op !== 'EQUAL' && condition !== container)
      .map((condition) => conditionBounds(layout, prefix, condition)),
    cursorBounds(layout, prefix, shape.startAt, 'start'),
    cursorBounds(layout, prefix, shape.endAt, 'end'),
  ];
  const range: KeyRange = { lower: prefix, upper: afterAllWith(prefix) };
  for (const { lower, upper } of bounds) {
    if (lower !== undefined && Buffer.compare(lower, range.lower) > 0) range.lower = lower;
    if (upper !== undefined && Buffer.compare(upper, range.upper) < 0) range.upper = upper;
  }
  if (Buffer.compare(range.lower, range.upper) >= 0) return undefined;
  return {
    definition: layout.definition,
    place: layout.place,
    range,
    isReverse: layout.isReverse,
    isExact:
      bounds.every(({ isExact }) => isExact) &&
      prefixParts.every(({ isCut }) => !isCut) &&
      isWholePlace(layout),
    isBounded:
      prefix.length > 0 || bounds.some(({ lower, upper }) => lower !== undefined || upper !== undefined),
  };
}

/** Undefined when a field would have to equal two values. */
function equalitiesOf(conditions: readonly Condition[]): Map<string, Value> | undefined {
  const equalities = new Map<string, Value>();
  for (const { fieldPath, op, value } of conditions) {
    if (op !== 'EQUAL') continue;
    const other = equalities.get(fieldPath);
    if (other !== undefined && !areEqual(other, value)) return undefined;
    equalities.set(fieldPath, value);
  }
  return equalities;
}

/** Which index serves the alternative, and how the query maps onto it. */
type Layout = {
  scope: QueryShape['scope'];
  place: string;
  definition: IndexDefinition;
  /** The values that every entry of the range begins with. */
  prefixValues: Value[];
  equalities: ReadonlyMap<string, Value>;
  /** All that the query sorts by. */
  sortKeys: readonly SortKey[];
  /** The first of them that is not fixed by an equality. */
  firstKey: SortKey;
  /** Entries are sorted up by the first key: a query that sorts down reads them backwards. */
  isReverse: boolean;
};

/** First the element that is contained, then the fields that are equal, then what the results are sorted by. */
function layoutOf(
  { scope, sortKeys }: QueryShape,
  equalities: ReadonlyMap<string, Value>,
  container: Condition | undefined,
): Layout {
  const equalityFields = [...equalities.keys()].sort();
  const openKeys = sortKeys.filter(({ fieldPath }) => !equalities.has(fieldPath));
  const firstKey = openKeys[0]!;
  const fields: IndexedField[] = [
    ...(container === undefined ? [] : [{ fieldPath: container.fieldPath, kind: 'contains' as const }]),
    ...equalityFields.map((fieldPath) => ({ fieldPath, kind: 'ascending' as const })),
    ...openKeys.slice(0, -1).map((key) => ({ fieldPath: key.fieldPath, kind: kindOf(key, firstKey) })),
  ];
  return {
    scope,
    place: scope.kind === 'group' ? databaseOf(scope.parent) : scope.path,
    definition: {
      scope: scope.kind,
      collectionId: scope.kind === 'group' ? scope.collectionId : lastSegmentOf(scope.path),
      fields,
      nameKind: kindOf(openKeys.at(-1)!, firstKey),
    },
    prefixValues: [
      ...(container === undefined ? [] : [container.value]),
      ...equalityFields.map((fieldPath) => equalities.get(fieldPath)!),
    ],
    equalities,
    sortKeys,
    firstKey,
    isReverse: firstKey.sign === -1,
  };
}

function kindOf({ sign }: SortKey, first: SortKey): 'ascending' | 'descending' {
  return sign === first.sign ? 'ascending' : 'descending';
}

/** A group below a document shares its place with the rest of the database. */
function isWholePlace({ scope, place }: Layout): boolean {
  return scope.kind === 'collection' || scope.parent === `${place}/documents`;
}

/** A sort key's value as the index has it; undefined for a name that cannot be in the index. */
function encodeKey(
  layout: Layout,
  key: SortKey,
  value: Value,
): { bytes: Buffer; isCut: boolean } | undefined {
  if (key.fieldPath !== NAME_FIELD) return encodePart(value, kindOf(key, layout.firstKey));
  const { scope, place, definition } = layout;
  if (!('referenceValue' in value)) return undefined;
  const name = value.referenceValue;
  const isInside =
    scope.kind === 'collection' ? parentOf(name) === place : name.startsWith(`${place}/documents/`);
  return isInside ? { bytes: encodeNamePart(definition, name), isCut: false } : undefined;
}

/** What narrows the range; when it is not exact, documents in the range must be looked at. */
type Bounds = { lower?: Buffer; upper?: Buffer; isExact: boolean };

/** An inequality on the first sort key is a range of it, within the type of its operand. */
function conditionBounds(layout: Layout, prefix: Buffer, { fieldPath, op, value }: Condition): Bounds {
  const { firstKey } = layout;
  const side = INEQUALITY_SIDES[op];
  const encoded =
    side !== undefined && fieldPath === firstKey.fieldPath ? encodeKey(layout, firstKey, value) : undefined;
  if (side === undefined || encoded === undefined) return { isExact: false };
  const { bytes, isCut } = encoded;
  // Cut values that begin alike may lie on either side: all of them stay in the range.
  const isPastEqual = side.bound === 'lower' ? !side.includesEqual && !isCut : side.includesEqual || isCut;
  const edge = Buffer.concat([prefix, isPastEqual ? afterAllWith(bytes) : bytes]);
  const isName = fieldPath === NAME_FIELD;
  const type = typeByteOf(value);
  if (side.bound === 'lower') {
    const upper = isName ? {} : { upper: Buffer.concat([prefix, Buffer.from([type + 1])]) };
    return { lower: edge, ...upper, isExact: !isCut };
  }
  const lower = isName ? {} : { lower: Buffer.concat([prefix, Buffer.from([type])]) };
  return { upper: edge, ...lower, isExact: !isCut };
}

const INEQUALITY_SIDES: Partial<
  Record<Condition['op'], { bound: 'lower' | 'upper'; includesEqual: boolean }>
> = {
  GREATER_THAN: { bound: 'lower', includesEqual: false },
  GREATER_THAN_OR_EQUAL: { bound: 'lower', includesEqual: true },
  LESS_THAN: { bound: 'upper', includesEqual: false },
  LESS_THAN_OR_EQUAL: { bound: 'upper', includesEqual: true },
};

function cursorBounds(
  layout: Layout,
  prefix: Buffer,
  cursor: Cursor | undefined,
  side: 'start' | 'end',
): Bounds {
  if (cursor === undefined) return { isExact: true };
  const isBefore = cursor.before ?? false;
  const position = positionOf(layout, prefix, cursor, !isBefore);
  if (position === undefined) return { isExact: false };
  const { isReverse } = layout;
  const edge = position.isAfter !== isReverse ? afterAllWith(position.key) : position.key;
  // Going backwards, a start is the upper end of the keys.
  return (side === 'start') !== isReverse ? { lower: edge, isExact: true } : { upper: edge, isExact: true };
}

/** Where a cursor sits in the order of the query: before or after all keys that begin with `key`. */
function positionOf(
  layout: Layout,
  prefix: Buffer,
  cursor: Cursor,
  isAfterEqual: boolean,
): { key: Buffer; isAfter: boolean } | undefined {
  let key = prefix;
  for (const [index, value] of (cursor.values ?? []).entries()) {
    const sortKey = layout.sortKeys[index]!;
    const fixed = layout.equalities.get(sortKey.fieldPath);
    if (fixed !== undefined) {
      // All of the range is on one side of the cursor, unless the fixed value is the cursor's.
      const order = compareValues(fixed, value) * sortKey.sign;
      if (order !== 0) return { key, isAfter: order < 0 };
      continue;
    }
    const encoded = encodeKey(layout, sortKey, value);
    if (encoded === undefined || encoded.isCut) return undefined;
    key = Buffer.concat([key, encoded.bytes]);
  }
  return { key, isAfter: isAfterEqual };
}
