/** The files of a built web app, found by URL path and never outside their folder. */
import { createHash } from 'node:crypto';
import { readFile, realpath, stat } from 'node:fs/promises';
import { extname, join, sep } from 'node:path';
import { LocalFirebaseError } from '../errors.ts';

/** A file that can be sent. */
export type SiteFile = {
  contentType: string;
  /** Its name carries a hash of its bytes, so that it never changes. */
  isImmutable: boolean;
  read(): Promise<Buffer>;
  /** A strong validator for the bytes as they are sent. */
  etag(bytes: Uint8Array): string;
};

/** Finds files by the path of a URL. */
export type SiteFolder = { find(urlPath: string): Promise<SiteFile | null> };

const contentTypes: Record<string, string> = {
  '.avif': 'image/avif',
  '.css': 'text/css; charset=utf-8',
  '.gif': 'image/gif',
  '.html': 'text/html; charset=utf-8',
  '.ico': 'image/x-icon',
  '.jpeg': 'image/jpeg',
  '.jpg': 'image/jpeg',
  '.js': 'text/javascript; charset=utf-8',
  '.json': 'application/json; charset=utf-8',
  '.map': 'application/json; charset=utf-8',
  '.mjs': 'text/javascript; charset=utf-8',
  '.mp4': 'video/mp4',
  '.png': 'image/png',
  '.svg': 'image/svg+xml',
  '.txt': 'text/plain; charset=utf-8',
  '.wasm': 'application/wasm',
  '.webmanifest': 'application/manifest+json',
  '.webp': 'image/webp',
  '.woff': 'font/woff',
  '.woff2': 'font/woff2',
  '.xml': 'application/xml; charset=utf-8',
};

/** @throws LocalFirebaseError `data_unreadable` when the folder has no `index.html`. */
export async function openSiteFolder(folder: string): Promise<SiteFolder> {
  const root = await realpath(folder).catch(() => null);
  if (root === null || (await regularFile(join(root, 'index.html'))) === null) {
    const message = `There is no built web app in ${folder}: expected an index.html. Build it first.`;
    throw new LocalFirebaseError('data_unreadable', message);
  }
  return {
    async find(urlPath) {
      const segments = decodedSegments(urlPath);
      if (segments === null) return null;
      const path = join(root, ...segments);
      const file = (await regularFile(path)) ?? (await regularFile(join(path, 'index.html')));
      // The real path, so that a link inside the folder does not lead out of it.
      if (file === null || !file.startsWith(root + sep)) return null;
      return {
        contentType: contentTypes[extname(file).toLowerCase()] ?? 'application/octet-stream',
        // Vite's names: assets/index-DiwrgTda.js
        isImmutable: /[/\\]assets[/\\].*-[A-Za-z0-9_-]{8,}\.[a-z0-9]+$/.test(file),
        read: () => readFile(file),
        etag: (bytes) => `"${createHash('sha256').update(bytes).digest('base64url').slice(0, 27)}"`,
      };
    },
  };
}

/** Null for a path that cannot name a file of the app: malformed, hidden (`.env`), or climbing. */
function decodedSegments(urlPath: string): string[] | null {
  try {
    const segments = decodeURIComponent(urlPath)
      .split('/')
      .filter((segment) => segment !== '');
    const bad = segments.some((segment) => segment.startsWith('.') || /[\\\0]/.test(segment));
    return bad ? null : segments;
  } catch {
    // A stray percent sign.
    return null;
  }
}

async function regularFile(path: string): Promise<string | null> {
  try {
    return (await stat(path)).isFile() ? await realpath(path) : null;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR' || code === 'ENAMETOOLONG') return null;
    throw error;
  }
}
