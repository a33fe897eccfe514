/** Copies of folders that take no time and no space: their files are hard links. */
import {
  constants,
  copyFileSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readlinkSync,
  symlinkSync,
} from 'node:fs';
import { dirname, join } from 'node:path';

/**
 * Nobody may write into the files that are linked: they are the originals. Where the two places are on different
 * disks, files are copied.
 * @param except name of folders that are left out
 */
export function linkFiles(source: string, target: string, options: { except?: string } = {}): void {
  const kind = lstatSync(source);
  if (kind.isDirectory()) {
    mkdirSync(target, { recursive: true });
    for (const name of readdirSync(source)) {
      if (name !== options.except) linkFiles(join(source, name), join(target, name), options);
    }
    return;
  }
  mkdirSync(dirname(target), { recursive: true });
  if (kind.isSymbolicLink()) symlinkSync(readlinkSync(source), target);
  else linkFile(source, target);
}

function linkFile(source: string, target: string): void {
  try {
    linkSync(source, target);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EXDEV') throw error;
    copyFileSync(source, target, constants.COPYFILE_FICLONE);
  }
}
