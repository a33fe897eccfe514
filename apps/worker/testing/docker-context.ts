/** The files that `docker build` would see: a folder less what its `.dockerignore` leaves out. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** Rules of a `.dockerignore`: the last one that matches a path, or a folder that it lies in, decides. */
export interface DockerContext {
  /** @param path from the root of the context, with `/` */
  isExcluded(path: string): boolean;
  /** Every file of the context, by its path. */
  files(): string[];
}

/** @see https://docs.docker.com/build/concepts/context/#dockerignore-files */
export function openDockerContext(folder: string): DockerContext {
  const rules = readFileSync(join(folder, '.dockerignore'), 'utf8')
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => {
      const isException = line.startsWith('!');
      const pattern = line.slice(isException ? 1 : 0).replace(/^\/|\/$/g, '');
      return { isException, pattern, expression: expressionOf(pattern) };
    });

  function isExcluded(path: string): boolean {
    const parts = path.split('/');
    const lineage = parts.map((_, index) => parts.slice(0, index + 1).join('/'));
    const decisive = rules.findLast(({ expression }) => lineage.some((each) => expression.test(each)));
    return decisive !== undefined && !decisive.isException;
  }

  /** Whether something below an excluded folder may come back. */
  function mayHoldExceptions(path: string): boolean {
    return rules.some(({ isException, pattern }) => isException && pattern.startsWith(`${path}/`));
  }

  function visit(path: string): string[] {
    return readdirSync(join(folder, path), { withFileTypes: true }).flatMap((entry) => {
      const child = path === '' ? entry.name : `${path}/${entry.name}`;
      if (!entry.isDirectory()) return isExcluded(child) ? [] : [child];
      return isExcluded(child) && !mayHoldExceptions(child) ? [] : visit(child);
    });
  }

  return { isExcluded, files: () => visit('') };
}

/** `**` stands for any folders, `*` and `?` for what is within one name. */
function expressionOf(pattern: string): RegExp {
  const source = pattern
    .replace(/[.+^${}()|[\]\\]/g, '\\$&')
    .replaceAll('**/', '\0')
    .replaceAll('*', '[^/]*')
    .replaceAll('?', '[^/]')
    .replaceAll('\0', '(?:.*/)?');
  return new RegExp(`^${source}$`);
}
