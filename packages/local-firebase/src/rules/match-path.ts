/** Fits the patterns of match blocks to a path, of which a list request leaves some segments open. */
import type { PatternSegment } from './syntax.ts';
import { pathOf, type RulesValue, type Unknown } from './values.ts';

/** Stands in a path for one segment that may be anything. */
export const anySegment = Symbol('any segment');
/** Stands in a path for any number of segments that may be anything. */
export const anySegments = Symbol('any segments');

/** The path of a question; a list asks about every path that the open segments can become. */
export type QuestionPath = readonly (string | typeof anySegment | typeof anySegments)[];

/** What the wildcards of a pattern stand for, and what of the path is left for inner blocks. */
export type Binding = { variables: ReadonlyMap<string, RulesValue>; rest: QuestionPath };

const open: Unknown = { kind: 'unknown', constraints: [] };

/**
 * All ways in which a pattern fits the beginning of a path. Open segments fit only where every path that they can become
 * would: a wildcard takes an open segment, only `{name=**}` takes any number of them.
 *
 * @param version In '1' `{name=**}` takes at least one segment.
 */
export function* bindPattern(
  pattern: readonly PatternSegment[],
  path: QuestionPath,
  version: '1' | '2',
): Generator<Binding> {
  const [first, ...others] = pattern;
  if (first === undefined) {
    yield { variables: new Map(), rest: path };
    return;
  }
  if (first.kind === 'rest') {
    for (let taken = version === '1' ? 1 : 0; taken <= path.length; taken++) {
      const segments = path.slice(0, taken);
      // Any number may be none at all.
      if (version === '1' && segments.every((segment) => segment === anySegments)) continue;
      yield* withVariable(first.name, restValue(segments), others, path.slice(taken), version);
    }
    return;
  }
  const [segment, ...rest] = path;
  if (segment === undefined || segment === anySegments) return;
  if (first.kind === 'text') {
    if (segment === first.text) yield* bindPattern(others, rest, version);
    return;
  }
  yield* withVariable(first.name, segment === anySegment ? open : segment, others, rest, version);
}

function restValue(segments: QuestionPath): RulesValue {
  const isKnown = (segment: QuestionPath[number]): segment is string => typeof segment === 'string';
  return segments.every(isKnown) ? pathOf(segments) : open;
}

function* withVariable(
  name: string,
  value: RulesValue,
  pattern: readonly PatternSegment[],
  path: QuestionPath,
  version: '1' | '2',
): Generator<Binding> {
  for (const { variables, rest } of bindPattern(pattern, path, version)) {
    yield { variables: new Map([...variables, [name, value]]), rest };
  }
}
