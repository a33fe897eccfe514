/**
 * SentencePiece's precompiled normalisation rules: a trie of UTF-8 sequences (darts-clone's double array) and their replacements.
 * The blob is: bytes of the trie (uint32), the trie's units (uint32 each), then the replacements, each ended by a zero byte.
 */

const HEADER_BYTES = 4;
/** The `tokenizers` library looks longer clusters up character by character only. */
const LONGEST_CLUSTER_BYTES = 5;

/** Creates the normaliser. Throws RangeError when the blob is no such map. */
export function createCharsmapNormalizer(blob: Uint8Array): (text: string) => string {
  const view = new DataView(blob.buffer, blob.byteOffset, blob.byteLength);
  const trieBytes = blob.byteLength < HEADER_BYTES ? -1 : view.getUint32(0, true);
  if (trieBytes <= 0 || trieBytes % 4 !== 0 || HEADER_BYTES + trieBytes > blob.byteLength) {
    throw new RangeError(`The precompiled charsmap of ${blob.byteLength} bytes holds no trie.`);
  }
  const units = Uint32Array.from({ length: trieBytes / 4 }, (_, index) =>
    view.getUint32(HEADER_BYTES + index * 4, true),
  );
  const replacements = blob.subarray(HEADER_BYTES + trieBytes);
  const segmenter = new Intl.Segmenter(undefined, { granularity: 'grapheme' });
  const [encoder, decoder] = [new TextEncoder(), new TextDecoder()];

  /** What the shortest known beginning of the text becomes; undefined when no beginning is known. */
  function lookUp(bytes: Uint8Array): string | undefined {
    let position = offsetOf(units[0]!);
    for (const byte of bytes) {
      position ^= byte;
      const unit = units[position];
      // A zero byte ends a key: nothing can begin with it.
      if (byte === 0 || unit === undefined || labelOf(unit) !== byte) return undefined;
      position ^= offsetOf(unit);
      if (hasLeaf(unit)) {
        const start = replacementStart(units[position] ?? 0);
        return decoder.decode(replacements.subarray(start, replacements.indexOf(0, start)));
      }
    }
    return undefined;
  }

  function normalizeCluster(cluster: string): string {
    const bytes = encoder.encode(cluster);
    // A whole cluster goes by its beginning, as in the library: marks behind it are lost where no rule has them.
    const whole = bytes.length <= LONGEST_CLUSTER_BYTES ? lookUp(bytes) : undefined;
    if (whole !== undefined) return whole;
    return Array.from(cluster, (character) => lookUp(encoder.encode(character)) ?? character).join('');
  }

  return (text) => Array.from(segmenter.segment(text), ({ segment }) => normalizeCluster(segment)).join('');
}

function hasLeaf(unit: number): boolean {
  return ((unit >>> 8) & 1) === 1;
}

/** Of a leaf. */
function replacementStart(unit: number): number {
  return unit & 0x7fffffff;
}

/** The byte that leads here; a leaf's has the highest bit set, so that it equals none. */
function labelOf(unit: number): number {
  return (unit & 0x800000ff) >>> 0;
}

function offsetOf(unit: number): number {
  return (unit >>> 10) << ((unit & 0x200) >>> 6);
}
