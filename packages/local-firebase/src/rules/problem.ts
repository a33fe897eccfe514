/** What is wrong with a rules file, and where: parser and checker collect these, so that one look shows several. */
import { LocalFirebaseError } from '../errors.ts';
import type { Position } from './syntax.ts';

/** One sentence about one place. */
export type RulesProblem = Position & { message: string };

/** More would only repeat what the first ones broke. */
export const maxProblems = 20;

/** Thrown inside the parser to leave a broken statement; never leaves it. */
export class SyntaxProblem extends Error {
  readonly position: Position;

  constructor(position: Position, message: string) {
    super(message);
    this.name = 'SyntaxProblem';
    this.position = position;
  }
}

/**
 * The error for a file that cannot be used: one line a problem, as `file:line:column: message`.
 *
 * @param file How to call the source, for people.
 */
export function invalidRules(file: string, problems: readonly RulesProblem[]): LocalFirebaseError {
  const lines = problems.map(({ line, column, message }) => `${file}:${line}:${column}: ${message}`);
  return new LocalFirebaseError('invalid_rules', lines.join('\n'));
}
