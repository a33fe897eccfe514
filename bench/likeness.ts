/** How alike two pictures are. */

/**
 * Peak signal-to-noise ratio of two pictures' bytes, in decibels; Infinity when they are the same.
 *
 * @throws {Error} when they are not of one size
 */
export function peakSignalToNoiseDb(one: Uint8Array, other: Uint8Array): number {
  if (one.length !== other.length || one.length === 0) {
    throw new Error(`Pictures of ${one.length} and ${other.length} bytes cannot be compared.`);
  }
  const squares = one.reduce((sum, value, index) => sum + (value - other[index]!) ** 2, 0);
  return 10 * Math.log10(255 ** 2 / (squares / one.length));
}
