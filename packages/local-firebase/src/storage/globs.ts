/** `matchGlob` of a list: `*` and `?` within a folder, `**` across folders, `[a-z]`, `{one,other}`. */
import { invalid } from './errors.ts';

/**
 * Builds the test of a name (https://cloud.google.com/storage/docs/json_api/v1/objects/list#list-objects-and-prefixes-using-glob).
 *
 * @throws StorageRequestError 400 when a bracket or brace is not closed.
 */
export function matchesGlob(glob: string): (name: string) => boolean {
  let pattern = '';
  let braces = 0;
  for (let at = 0; at < glob.length; at++) {
    const character = glob[at]!;
    if (character === '*') {
      if (glob[at + 1] === '*') {
        at++;
        // `**/` stands also for no folder at all.
        if (glob[at + 1] === '/') {
          at++;
          pattern += '(?:.*/)?';
        } else pattern += '.*';
      } else pattern += '[^/]*';
    } else if (character === '?') pattern += '[^/]';
    else if (character === '[') {
      const end = glob.indexOf(']', at + 2);
      if (end < 0) throw malformed(glob);
      const set = glob.slice(at + 1, end);
      const negated = set.startsWith('!') || set.startsWith('^');
      const members = (negated ? set.slice(1) : set).replace(/[\\\]^[&~|]/g, '\\$&');
      pattern += `[${negated ? '^' : ''}${members}]`;
      at = end;
    } else if (character === '{') {
      braces++;
      pattern += '(?:';
    } else if (character === '}' && braces > 0) {
      braces--;
      pattern += ')';
    } else if (character === ',' && braces > 0) pattern += '|';
    else pattern += literal(character === '\\' ? (glob[++at] ?? '\\') : character);
  }
  if (braces > 0) throw malformed(glob);
  let expression: RegExp;
  try {
    expression = new RegExp(`^(?:${pattern})$`, 's');
  } catch {
    // A range such as [z-a].
    throw malformed(glob);
  }
  return (name) => expression.test(name);
}

function literal(character: string): string {
  return character.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&');
}

function malformed(glob: string) {
  return invalid(`Invalid value for matchGlob: ${JSON.stringify(glob)}`);
}
