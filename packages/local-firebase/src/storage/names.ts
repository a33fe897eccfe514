/** Rules for object names, and the order in which lists have them. */
import { invalid } from './errors.ts';

/**
 * Names may hold any Unicode up to 1024 bytes of UTF-8 (https://cloud.google.com/storage/docs/objects#naming). They never
 * become paths on this disk, so `../` is just four characters.
 *
 * @throws StorageRequestError 400
 */
export function ensureObjectName(name: string | undefined): asserts name is string {
  if (name === undefined || name === '') throw invalid('Required parameter: name');
  if (Buffer.byteLength(name) > 1024) {
    throw invalid(
      `The maximum object length is 1024 characters, but got a name with ${Buffer.byteLength(name)} bytes.`,
    );
  }
  // With the u flag a surrogate matches only where its other half is missing.
  if (/[\r\n\u{d800}-\u{dfff}]/u.test(name) || name === '.' || name === '..') {
    throw invalid(`Invalid object name: ${JSON.stringify(name)}`);
  }
}

/**
 * The smallest text that sorts, by UTF-8, after everything that starts with `prefix`; null when there is none. Lists use
 * it to jump over a folder.
 */
export function afterPrefix(prefix: string): string | null {
  const characters = Array.from(prefix);
  for (;;) {
    const last = characters.pop()?.codePointAt(0);
    if (last === undefined) return null;
    // Surrogates are no characters: the one after U+D7FF is U+E000.
    if (last < 0x10ffff)
      return characters.join('') + String.fromCodePoint(last === 0xd7ff ? 0xe000 : last + 1);
  }
}
