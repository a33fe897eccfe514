/** Remembers which documents the small collections used last have, so that queries that run again and again read nothing. */
import { parentOf } from './path.ts';

const MAX_NAMES = 100_000;

export type CollectionNames = {
  /** The names of a small collection's documents in no promised order; undefined for a large collection. */
  of(collection: string): ReadonlySet<string> | undefined;
  /** A document has come into being. */
  add(name: string): void;
  /** A document is gone. */
  remove(name: string): void;
};

/**
 * @param load Reads up to `count` names of a collection from disk.
 * @param smallDocuments How many documents a small collection has at most.
 */
export function createCollectionNames(
  load: (collection: string, count: number) => Iterable<string>,
  smallDocuments: number,
  maxNames = MAX_NAMES,
): CollectionNames {
  // Oldest use first. A large collection has one name more than a small one may have, and which is of no interest.
  const known = new Map<string, Set<string>>();
  let nameCount = 0;

  function forget(collection: string): void {
    nameCount -= known.get(collection)?.size ?? 0;
    known.delete(collection);
  }

  function forgetOldest(): void {
    for (const collection of known.keys()) {
      if (nameCount <= maxNames) return;
      forget(collection);
    }
  }

  return {
    of(collection) {
      let names = known.get(collection);
      if (names === undefined) {
        names = new Set(load(collection, smallDocuments + 1));
        nameCount += names.size;
      }
      known.delete(collection);
      known.set(collection, names);
      forgetOldest();
      return names.size <= smallDocuments ? names : undefined;
    },
    add(name) {
      const names = known.get(parentOf(name));
      if (names === undefined || names.has(name) || names.size > smallDocuments) return;
      names.add(name);
      nameCount++;
    },
    remove(name) {
      const collection = parentOf(name);
      const names = known.get(collection);
      if (names === undefined) return;
      // A large collection may have become small: the disk knows.
      if (names.size > smallDocuments) forget(collection);
      else if (names.delete(name)) nameCount--;
    },
  };
}
