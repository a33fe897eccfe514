/** Count, sum and average over the results of a query. */
import { fieldPathOf } from './field-path.ts';
import { valueAt } from './filter.ts';
import type { Aggregation, Fields, Value } from './messages.ts';
import { invalidArgument } from './status.ts';
import type { StoredDocument } from './stored-document.ts';
import { isNumber, NULL, toDouble } from './values.ts';

/** https://firebase.google.com/docs/firestore/query-data/aggregation-queries#limitations */
const MAX_AGGREGATIONS = 5;
const MAX_INT64 = (1n << 63n) - 1n;
const MIN_INT64 = -(1n << 63n);

/** @throws StatusError INVALID_ARGUMENT */
export function checkAggregations(aggregations: readonly Aggregation[]): void {
  if (aggregations.length === 0)
    throw invalidArgument('An aggregation query needs at least one aggregation.');
  if (aggregations.length > MAX_AGGREGATIONS) {
    throw invalidArgument(
      `The maximum number of aggregations allowed in an aggregation query is ${MAX_AGGREGATIONS}. ` +
        `Received: ${aggregations.length}`,
    );
  }
  const aliases = aggregations.map(aliasOf);
  if (new Set(aliases).size < aliases.length) throw invalidArgument('Two aggregations have the same alias.');
}

/** The results of a query, as far as they are needed: a count alone reads no document. */
export type AggregatedResults = { count: () => number; documents: () => readonly StoredDocument[] };

/** A result per alias. */
export function aggregate(aggregations: readonly Aggregation[], results: AggregatedResults): Fields {
  const documents = aggregations.every(({ count }) => count !== undefined) ? undefined : results.documents();
  const count = documents?.length ?? results.count();
  return Object.fromEntries(
    aggregations.map((aggregation, index) => [
      aliasOf(aggregation, index),
      aggregateOf(aggregation, count, documents ?? []),
    ]),
  );
}

function aliasOf({ alias }: Aggregation, index: number): string {
  return alias || `field_${index + 1}`;
}

function aggregateOf(
  { count, sum, avg }: Aggregation,
  total: number,
  documents: readonly StoredDocument[],
): Value {
  if (count !== undefined) {
    const upTo = Number(count.upTo?.value ?? Number.POSITIVE_INFINITY);
    if (count.upTo !== undefined && !(upTo > 0)) {
      throw invalidArgument(`The upTo of a count is ${count.upTo.value ?? 0}: expected more than zero.`);
    }
    return { integerValue: String(Math.min(upTo, total)) };
  }
  if (sum === undefined && avg === undefined) {
    throw invalidArgument('An aggregation has no operator: expected count, sum or avg.');
  }
  const fieldPath = fieldPathOf((sum ?? avg)?.field);
  const numbers = documents
    .map((document) => valueAt(document, fieldPath))
    .filter((value) => value !== undefined)
    .filter(isNumber);
  if (sum !== undefined) return sumOf(numbers);
  if (numbers.length === 0) return NULL;
  return { doubleValue: numbers.reduce((total, value) => total + toDouble(value), 0) / numbers.length };
}

/** Integers sum to an integer unless int64 overflows; one double makes the sum a double. */
function sumOf(numbers: ({ integerValue: string } | { doubleValue: number })[]): Value {
  if (numbers.every((value) => 'integerValue' in value)) {
    const total = numbers.reduce((sum, value) => sum + BigInt(value.integerValue), 0n);
    if (total >= MIN_INT64 && total <= MAX_INT64) return { integerValue: String(total) };
    return { doubleValue: Number(total) };
  }
  return { doubleValue: numbers.reduce((total, value) => total + toDouble(value), 0) };
}
