/** Remembers which documents the collections used last have, so that queries that run again and again read no index. */
import { parentOf } from './path.ts';

const MAX_NAMES = 200_000;

export type CollectionNames = {
  /** The names of a collection's documents in no promised order. */
  of(collection: string): Iterable<string>;
  /** A document has come into being. */
  add(name: string): void;
  /** A document is gone. */
  remove(name: string): void;
};

/** @param load Reads the names of a collection from disk. */
export function createCollectionNames(
  load: (collection: string) => Iterable<string>,
  maxNames = MAX_NAMES,
): CollectionNames {
  // Oldest use first.
  const known = new Map<string, Set<string>>();
  let nameCount = 0;

  function forgetOldest(): void {
    for (const [collection, names] of known) {
      if (nameCount <= maxNames) return;
      known.delete(collection);
      nameCount -= names.size;
    }
  }

  return {
    of(collection) {
      let names = known.get(collection);
      if (names === undefined) {
        names = new Set(load(collection));
        nameCount += names.size;
      }
      known.delete(collection);
      known.set(collection, names);
      forgetOldest();
      return names;
    },
    add(name) {
      const names = known.get(parentOf(name));
      if (names === undefined || names.has(name)) return;
      names.add(name);
      nameCount++;
    },
    remove(name) {
      if (known.get(parentOf(name))?.delete(name)) nameCount--;
    },
  };
}
