/** SentencePiece's Unigram model: of all ways to cut a word into known pieces, the likeliest. */

/** What tokenizer.json has as `model`. */
export interface UnigramConfig {
  /** Pieces with their log probabilities; a piece's id is its place. */
  readonly vocabulary: readonly (readonly [piece: string, score: number])[];
  readonly unknownId: number;
  /** Whether an unknown character becomes its UTF-8 bytes, where the vocabulary has a piece `<0x..>` for each. */
  readonly byteFallback: boolean;
}

/** How much less likely an unknown character is than the unlikeliest piece. */
const UNKNOWN_PENALTY = 10;

/** The best way to cut the text up to some place. */
interface BestCut {
  score: number;
  /** Where its last piece starts. */
  readonly start: number;
  readonly isUnknown: boolean;
}

/** Creates a function from a word to its ids, the same as the `tokenizers` library's: neighbouring unknown characters become one. */
export function createUnigramEncoder(config: UnigramConfig): (word: string) => number[] {
  const { vocabulary, unknownId, byteFallback } = config;
  const ids = new Map(vocabulary.map(([piece], id) => [piece, id]));
  const longest = vocabulary.reduce((length, [piece]) => Math.max(length, piece.length), 1);
  const unknownScore =
    vocabulary.reduce((smallest, [, score]) => Math.min(smallest, score), Number.POSITIVE_INFINITY) -
    UNKNOWN_PENALTY;
  const encoder = new TextEncoder();

  function idsOf(piece: string): number[] {
    const id = ids.get(piece);
    if (id !== undefined) return [id];
    if (!byteFallback) return [unknownId];
    const bytes = Array.from(encoder.encode(piece), (byte) => ids.get(byteSymbol(byte)));
    return bytes.every((byte) => byte !== undefined) ? bytes : [unknownId];
  }

  function bestCuts(word: string): (BestCut | undefined)[] {
    const cuts: (BestCut | undefined)[] = new Array(word.length + 1).fill(undefined);
    for (let start = 0; start < word.length; ) {
      const characterEnd = start + (word.codePointAt(start)! > 0xffff ? 2 : 1);
      const scoreHere = cuts[start]?.score ?? 0;
      const offer = (end: number, score: number, isUnknown: boolean) => {
        const known = cuts[end];
        if (!known || score > known.score) cuts[end] = { score, start, isUnknown };
      };
      let isCharacterKnown = false;
      for (let end = start + 1; end <= Math.min(word.length, start + longest); end++) {
        const id = ids.get(word.slice(start, end));
        if (id === undefined) continue;
        offer(end, scoreHere + vocabulary[id]![1], false);
        isCharacterKnown ||= end === characterEnd;
      }
      if (!isCharacterKnown) offer(characterEnd, scoreHere + unknownScore, true);
      start = characterEnd;
    }
    return cuts;
  }

  return (word) => {
    const cuts = bestCuts(word);
    const pieces: string[] = [];
    let isUnknownOpen = false;
    for (let end = word.length; end > 0; ) {
      const { start, isUnknown } = cuts[end]!;
      const piece = word.slice(start, end);
      if (isUnknown && isUnknownOpen) pieces.push(piece + pieces.pop()!);
      else pieces.push(piece);
      isUnknownOpen = isUnknown;
      end = start;
    }
    return pieces.reverse().flatMap(idsOf);
  };
}

function byteSymbol(byte: number): string {
  return `<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`;
}
