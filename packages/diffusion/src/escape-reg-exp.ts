/** Text as a regular expression that matches it. */

/** Escapes what has a meaning in a pattern. */
export function escapeRegExp(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&');
}
