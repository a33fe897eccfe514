/** Byte-level byte-pair encoding as CLIP uses it: words end with </w>, and every byte has a printable stand-in. */

const END_OF_WORD = '</w>';
/** Words repeat from prompt to prompt; the cache is emptied at this size, so that odd input cannot grow it for ever. */
const CACHE_LIMIT = 20_000;

/** Creates a function from a word (no white space, at least one character) to its tokens; merges are most important first. */
export function createBytePairEncoder(
  merges: readonly (readonly [string, string])[],
): (word: string) => readonly string[] {
  const ranks = new Map(merges.map(([left, right], rank) => [pairKey(left, right), rank]));
  const cache = new Map<string, readonly string[]>();

  return (word) => {
    const cached = cache.get(word);
    if (cached) return cached;
    const symbols = Array.from(new TextEncoder().encode(word), (byte) => BYTE_SYMBOLS[byte]!);
    symbols.push(symbols.pop() + END_OF_WORD);
    const tokens = mergeAll(symbols, ranks);
    if (cache.size >= CACHE_LIMIT) cache.clear();
    cache.set(word, tokens);
    return tokens;
  };
}

/** Applies the best-ranked merge everywhere in the word, again and again, until no neighbours have one. */
function mergeAll(symbols: string[], ranks: ReadonlyMap<string, number>): string[] {
  let current = symbols;
  while (current.length > 1) {
    let bestRank = Number.POSITIVE_INFINITY;
    let bestIndex = -1;
    for (let index = 0; index < current.length - 1; index++) {
      const rank = ranks.get(pairKey(current[index]!, current[index + 1]!)) ?? Number.POSITIVE_INFINITY;
      if (rank < bestRank) [bestRank, bestIndex] = [rank, index];
    }
    if (bestIndex < 0) return current;
    const [left, right] = [current[bestIndex]!, current[bestIndex + 1]!];
    const merged: string[] = [];
    for (let index = 0; index < current.length; index++) {
      const isPair = current[index] === left && current[index + 1] === right;
      merged.push(isPair ? left + right : current[index]!);
      if (isPair) index++;
    }
    current = merged;
  }
  return current;
}

/** Symbols hold no blank, so it separates a pair. */
function pairKey(left: string, right: string): string {
  return `${left} ${right}`;
}

/** GPT-2's stand-in for each byte: itself where printable in Latin-1, else the next free character from U+0100. */
const BYTE_SYMBOLS: readonly string[] = (() => {
  let next = 256;
  return Array.from({ length: 256 }, (_, byte) => {
    const isPrintable = (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae;
    return String.fromCharCode(isPrintable ? byte : next++);
  });
})();
