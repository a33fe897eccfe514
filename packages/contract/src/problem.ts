/** What is wrong with one field of a request, said so that a person can mend it. */

/** One rule that a request breaks. */
export interface Problem {
  /** Name of the field, or `request` where it is no object at all. */
  readonly field: string;
  /** A full sentence that names the field, its value (shortened) and what was expected. */
  readonly message: string;
}

/** The outcome of a check: the value, or every problem of it. */
export type Checked<Value> =
  | ({ readonly ok: true } & Value)
  | { readonly ok: false; readonly problems: readonly Problem[] };

const SHOWN_MAX_CHARACTERS = 60;

/** A value as it is told to people: texts cut to 60 characters, and of lists and objects only what they are. */
export function shorten(value: unknown): string {
  if (typeof value === 'string') {
    const isLong = value.length > SHOWN_MAX_CHARACTERS;
    return JSON.stringify(isLong ? `${value.slice(0, SHOWN_MAX_CHARACTERS)}…` : value);
  }
  if (Array.isArray(value)) return 'a list';
  return typeof value === 'object' && value !== null ? 'an object' : String(value);
}

/** `width: 1000 is not allowed; expected a multiple of 16 between 64 and 2048.` */
export function notAllowed(field: string, value: unknown, expected: string): Problem {
  return { field, message: `${field}: ${shorten(value)} is not allowed; expected ${expected}.` };
}

/** `prompt: is missing; expected text of 1 to 2000 characters without control characters.` */
export function missing(field: string, expected: string): Problem {
  return { field, message: `${field}: is missing; expected ${expected}.` };
}

/** All problems in one text, a sentence each, for `error` and for a callable's message. */
export function describeProblems(problems: readonly Problem[]): string {
  return problems.map((problem) => problem.message).join(' ');
}
