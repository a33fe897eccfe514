/** Field paths: a.`b.c`.d as the wire writes them, and reading and writing what they point at. */
import type { FieldReference, Fields, Value } from './messages.ts';
import { invalidArgument } from './status.ts';

/** The pseudo field that is the document's own name. */
export const NAME_FIELD = '__name__';

const SIMPLE_SEGMENT = /^[a-zA-Z_][a-zA-Z_0-9]*$/;

const parsed = new Map<string, readonly string[]>();
const PARSED_LIMIT = 10_000;

/**
 * Splits a field path into its segments. Backquotes enclose a segment with other characters; inside, a backslash
 * escapes backquote and backslash.
 *
 * @throws StatusError INVALID_ARGUMENT when the text is no field path.
 */
export function parseFieldPath(text = ''): readonly string[] {
  const known = parsed.get(text);
  if (known !== undefined) return known;
  const segments = splitSegments(text);
  if (parsed.size >= PARSED_LIMIT) parsed.clear();
  parsed.set(text, segments);
  return segments;
}

/**
 * The path of the field that a request refers to, the document's name included.
 *
 * @throws StatusError INVALID_ARGUMENT when it refers to none.
 */
export function fieldPathOf(reference: FieldReference | undefined): string {
  const fieldPath = reference?.fieldPath ?? '';
  if (fieldPath !== NAME_FIELD) parseFieldPath(fieldPath);
  return fieldPath;
}

function splitSegments(text: string): string[] {
  const segments: string[] = [];
  let position = 0;
  do {
    if (text[position] === '`') {
      const [segment, end] = readQuoted(text, position + 1);
      segments.push(segment);
      position = end;
    } else {
      const dot = text.indexOf('.', position);
      const end = dot === -1 ? text.length : dot;
      segments.push(text.slice(position, end));
      position = end;
    }
    if (segments.at(-1) === '') throw invalidArgument(`Invalid property path "${text}": a segment is empty.`);
    if (position < text.length && text[position] !== '.') {
      throw invalidArgument(`Invalid property path "${text}": expected "." at position ${position}.`);
    }
  } while (position++ < text.length);
  return segments;
}

function readQuoted(text: string, start: number): [segment: string, end: number] {
  let segment = '';
  for (let position = start; position < text.length; position++) {
    const character = text[position]!;
    if (character === '`') return [segment, position + 1];
    if (character === '\\') {
      position++;
      if (position >= text.length) break;
    }
    segment += text[position];
  }
  throw invalidArgument(`Invalid property path "${text}": a backquote is not closed.`);
}

/** The inverse of {@link parseFieldPath}. */
export function formatFieldPath(segments: readonly string[]): string {
  return segments
    .map((segment) =>
      SIMPLE_SEGMENT.test(segment)
        ? segment
        : `\`${segment.replace(/[\\`]/g, (character) => `\\${character}`)}\``,
    )
    .join('.');
}

/** The value at a path, or undefined where there is none. */
export function getField(fields: Fields, path: readonly string[]): Value | undefined {
  let current: Fields | undefined = fields;
  let value: Value | undefined;
  for (const segment of path) {
    if (current === undefined || !Object.hasOwn(current, segment)) return undefined;
    value = current[segment]!;
    current = 'mapValue' in value ? (value.mapValue.fields ?? {}) : undefined;
  }
  return value;
}

/**
 * Fields with the value at the path replaced, or removed when it is undefined. What lies on the way is copied, not
 * changed: stored documents are shared.
 */
export function withField(fields: Fields, path: readonly string[], value: Value | undefined): Fields {
  const [segment, ...rest] = path as [string, ...string[]];
  const inner = Object.hasOwn(fields, segment) ? fields[segment] : undefined;
  if (rest.length === 0) {
    const copy = { ...fields };
    if (value === undefined) delete copy[segment];
    else copy[segment] = value;
    return copy;
  }
  const innerFields = inner !== undefined && 'mapValue' in inner ? (inner.mapValue.fields ?? {}) : undefined;
  if (value === undefined && innerFields === undefined) return fields;
  return { ...fields, [segment]: { mapValue: { fields: withField(innerFields ?? {}, rest, value) } } };
}
