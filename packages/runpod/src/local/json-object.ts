/** Bodies of requests: JSON objects, or refused. */

/** The object that `text` holds as JSON; undefined for anything else. */
export function parseObject(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : undefined;
  } catch {
    // The caller says what was expected instead.
    return undefined;
  }
}
