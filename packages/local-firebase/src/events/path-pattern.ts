/** Path patterns of event filters: `users/{id}/posts/*`, `a/{rest=**}`. */

/** `**` stands for one or more segments. */
export function matchesPathPattern(pattern: string, path: string): boolean {
  const source = pattern
    .split('/')
    .filter((segment) => segment !== '')
    .map((segment) => {
      if (segment === '**' || /^\{[^{}=]+=\*\*\}$/.test(segment)) return '.+';
      if (segment === '*' || /^\{[^{}=]+(=\*)?\}$/.test(segment)) return '[^/]+';
      return segment.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&');
    })
    .join('/');
  return new RegExp(`^${source}$`, 's').test(path);
}
