/** Keeps the documents used last decoded in memory, up to a size: decoding is most of the cost of a query. */
import type { StoredDocument } from './stored-document.ts';

/** Counted in encoded bytes; decoded objects take several times as much. */
const MAX_ENCODED_BYTES = 32 * 1024 * 1024;
const ENTRY_OVERHEAD_BYTES = 100;

export type DocumentCache = {
  get(name: string): StoredDocument | undefined;
  set(document: StoredDocument, encodedBytes: number): void;
  delete(name: string): void;
};

export function createDocumentCache(maxEncodedBytes = MAX_ENCODED_BYTES): DocumentCache {
  // A Map iterates in insertion order, so that re-inserting on use keeps the oldest first.
  const entries = new Map<string, { document: StoredDocument; bytes: number }>();
  let totalBytes = 0;

  function remove(name: string): void {
    const entry = entries.get(name);
    if (entry === undefined) return;
    totalBytes -= entry.bytes;
    entries.delete(name);
  }

  return {
    get(name) {
      const entry = entries.get(name);
      if (entry === undefined) return undefined;
      entries.delete(name);
      entries.set(name, entry);
      return entry.document;
    },
    set(document, encodedBytes) {
      remove(document.name);
      const bytes = encodedBytes + ENTRY_OVERHEAD_BYTES;
      entries.set(document.name, { document, bytes });
      totalBytes += bytes;
      for (const name of entries.keys()) {
        if (totalBytes <= maxEncodedBytes) break;
        remove(name);
      }
    },
    delete: remove,
  };
}
