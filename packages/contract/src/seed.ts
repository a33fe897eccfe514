/** Seeds: where they come from when nobody chose one, and which one paints which image. */
import { SEED_MAX } from './limits.ts';

/**
 * The seed of a generation that came without one: the first four bytes (big-endian) of SHA-256 of its `file_uid`, so
 * that a second attempt paints the same. Asynchronous, because that is the SHA-256 which browsers and Node share.
 */
export async function seedFromFileUid(fileUid: string): Promise<number> {
  const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(fileUid));
  return new DataView(digest).getUint32(0);
}

/** The seed of image number `index` (from 0) of a generation: they count up and wrap, as in other tools. */
export function seedOfImage(seed: number, index: number): number {
  return (seed + index) % (SEED_MAX + 1);
}
