/** The place in a regular expression while it is parsed. */
import { EvaluationError } from '../values.ts';

export type PatternText = {
  isAtEnd(): boolean;
  isNext(character: string): boolean;
  /** Whether the sticky expression matches here. */
  matches(expression: RegExp): boolean;
  /** Takes what the sticky expression matches here. */
  take(expression: RegExp): RegExpExecArray | null;
  /** @throws EvaluationError that the whole pattern is not valid. */
  fail(reason: string): never;
};

export function createPatternText(pattern: string): PatternText {
  let offset = 0;
  const match = (expression: RegExp) => {
    expression.lastIndex = offset;
    return expression.exec(pattern);
  };
  return {
    isAtEnd: () => offset >= pattern.length,
    isNext: (character) => pattern[offset] === character,
    matches: (expression) => match(expression) !== null,
    take(expression) {
      const found = match(expression);
      offset += found?.[0].length ?? 0;
      return found;
    },
    fail(reason) {
      throw new EvaluationError(`The regular expression ${JSON.stringify(pattern)} is not valid: ${reason}.`);
    },
  };
}
