/** Decides which client may read or write which path, from a plain table: it stands in until security rules are evaluated. */
import { LocalFirebaseError } from './errors.ts';

/** One line of the table: who may do what below a path. A request is allowed when any line allows it. */
export type PathAccessRule = {
  /**
   * Segments joined by `/`. `{uid}` is the caller's own uid, `*` one segment, `**` (last only) the rest, which
   * may be nothing: `generations/{uid}/**`.
   */
  path: string;
  allow: readonly ('read' | 'write')[];
  /** `owner` needs `{uid}` in the path; `signed-in` any caller with a uid; `anyone` also callers without. */
  to: 'owner' | 'signed-in' | 'anyone';
};

/**
 * A question to the table. To ask about a list, put `*` where the name would be (`generations/u1/images/*`): only
 * rules that hold for every name there say yes. `**` asks for every depth in the same way.
 */
export type PathAccessRequest = { path: string; operation: 'read' | 'write'; uid: string | null };

/** Answers whether a client may do it. Privileged callers (the Admin SDK) never ask. */
export type PathAccess = (request: PathAccessRequest) => boolean;

/**
 * Builds the check from the table. No rules at all deny everything.
 *
 * @throws LocalFirebaseError `invalid_configuration` when a rule cannot mean anything.
 */
export function createPathAccess(rules: readonly PathAccessRule[]): PathAccess {
  const compiled = rules.map((rule) => ({ ...rule, segments: patternSegments(rule) }));
  return ({ path, operation, uid }) => {
    const segments = path.split('/').filter((segment) => segment !== '');
    return compiled.some(
      (rule) =>
        rule.allow.includes(operation) &&
        (rule.to === 'anyone' || uid !== null) &&
        matches(rule.segments, segments, uid),
    );
  };
}

function patternSegments(rule: PathAccessRule): string[] {
  const segments = rule.path.split('/').filter((segment) => segment !== '');
  const refuse = (reason: string) =>
    new LocalFirebaseError('invalid_configuration', `The access rule for "${rule.path}" ${reason}.`);
  if (segments.slice(0, -1).includes('**')) throw refuse('has "**" before its last segment');
  const namesOwner = segments.includes('{uid}');
  if (rule.to === 'owner' && !namesOwner) throw refuse('is for the owner but has no {uid} segment');
  if (rule.to !== 'owner' && namesOwner) throw refuse(`has a {uid} segment but is for ${rule.to}`);
  return segments;
}

function matches(pattern: readonly string[], path: readonly string[], uid: string | null): boolean {
  for (const [index, expected] of pattern.entries()) {
    if (expected === '**') return true;
    const actual = path[index];
    // A question about every depth is covered by a rule for every depth alone.
    if (actual === undefined || actual === '**') return false;
    if (expected === '*') continue;
    if (actual === '*') return false;
    if (actual !== (expected === '{uid}' ? uid : expected)) return false;
  }
  return path.length === pattern.length;
}
