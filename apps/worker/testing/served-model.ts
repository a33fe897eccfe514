/** Puts a model folder on the hub that tests serve. */
import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';

/** All files of `folder` become those of the hub's repository. */
export function serveFolder(hub: { files: Map<string, Buffer> }, folder: string): void {
  hub.files.clear();
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const path = join(entry.parentPath, entry.name);
    hub.files.set(relative(folder, path).replaceAll('\\', '/'), readFileSync(path));
  }
}
