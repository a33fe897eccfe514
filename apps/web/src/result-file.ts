/** Saves a result under a name that says what it is. */

/** `a-red-apple-7.mp4`: the prompt's words, the seed, and the ending of the stored file. */
export function resultFileName(prompt: string, seed: number | undefined, url: string): string {
  const words = prompt
    .toLowerCase()
    .replace(/[^\p{L}\p{N}]+/gu, '-')
    .slice(0, 60)
    .replace(/^-+|-+$/g, '');
  const ending = url.replace(/[?#].*/, '').match(/\.[a-z0-9]{2,4}$/i)?.[0] ?? '';
  return `${[words || 'firepod', ...(seed === undefined ? [] : [seed])].join('-')}${ending}`;
}

/**
 * Fetches the file and hands it to the browser as a download: a link alone cannot, because a browser opens what lies on
 * another host, as Storage does. Where the bytes cannot be read, the file is opened in its own tab instead.
 */
export async function saveResult(url: string, name: string): Promise<void> {
  let address = url;
  try {
    // Not from the cache: what an <img> or <video> fetched lies there without the headers that let us read it.
    const response = await fetch(url, { cache: 'no-store' });
    if (response.ok) address = URL.createObjectURL(await response.blob());
  } catch {
    // A bucket without CORS: the address itself is what is left.
  }
  const link = Object.assign(document.createElement('a'), { href: address, download: name });
  if (address === url) link.target = '_blank';
  link.rel = 'noreferrer';
  link.click();
  // The download holds the bytes by itself once it has begun.
  if (address !== url) setTimeout(() => URL.revokeObjectURL(address), 60_000);
}
