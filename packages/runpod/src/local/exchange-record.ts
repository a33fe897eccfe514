/** What went over the wire in one exchange: the lines of a transcript. */

/** One request and what was answered, as an observer gets it when the exchange is over. */
export interface ExchangeRecord {
  /** Which protocol it belongs to, by its operation. */
  side: 'worker' | 'client';
  /** The path's operation, e.g. `job-take`; empty when the path has none. */
  operation: string;
  method: string;
  /** As it was sent, e.g. `/v2/local/job-take/w1`. */
  path: string;
  /** As it was sent, without the question mark. */
  query: string;
  /** Names in lower case; the API key is replaced by `<api key>`. */
  headers: Readonly<Record<string, string>>;
  /** Empty when there was none, or nobody read it. */
  body: string;
  /** Undefined when no reply left. */
  status: number | undefined;
  /** The reply's body as it was meant to be sent; empty for none. */
  reply: string;
  /** False when the connection broke before all of the reply had left. */
  isComplete: boolean;
  /** By the clock, milliseconds since the epoch. */
  startedAtMs: number;
  endedAtMs: number;
}

/** Called once for each exchange, in the order in which they end. */
export type ExchangeObserver = (record: ExchangeRecord) => void;

const WORKER_OPERATIONS = new Set([
  'job-take',
  'job-take-batch',
  'job-done',
  'job-stream',
  'job-stop',
  'ping',
]);

/** The side of the API to which an operation belongs. */
export function sideOf(operation: string): ExchangeRecord['side'] {
  return WORKER_OPERATIONS.has(operation) ? 'worker' : 'client';
}

/** Headers as a record may keep them. */
export function recordedHeaders(
  headers: NodeJS.Dict<string | string[]>,
  apiKey: string,
): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [name, String(value).replaceAll(apiKey, '<api key>')]),
  );
}
