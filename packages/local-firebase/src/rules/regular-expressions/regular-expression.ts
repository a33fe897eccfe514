/**
 * Runs regular expressions as RE2 does: all ways to match go on side by side, so that the time grows with the length of
 * the text and never explodes, whatever the pattern (https://swtch.com/~rsc/regexp/regexp2.html).
 */

import { EvaluationError } from '../values.ts';
import { type PatternNode, parsePattern } from './syntax.ts';

/** Where a match begins and ends, in characters (code points). */
export type PatternMatch = { start: number; end: number };

/** A pattern made ready. Texts are lists of characters. */
export type RegularExpression = {
  /** Whether it matches the whole text. */
  matchesAll(characters: readonly string[]): boolean;
  /** The first match that begins at `from` or later; the alternatives that come first in the pattern win. */
  find(characters: readonly string[], from: number): PatternMatch | null;
};

type Instruction =
  | { kind: 'character'; matches: (character: string) => boolean }
  | { kind: 'assertion'; holds: (before: string | undefined, after: string | undefined) => boolean }
  /** Both ways; the first is preferred. */
  | { kind: 'split'; first: number; second: number }
  | { kind: 'jump'; to: number }
  | { kind: 'match' };

/** Counted repetitions are written out: this bounds them. */
const maxInstructions = 10_000;

const cache = new Map<string, RegularExpression>();
const maxCached = 500;

/** @throws EvaluationError when the pattern is not valid RE2, or too large. */
export function regularExpression(pattern: string): RegularExpression {
  let expression = cache.get(pattern);
  if (expression === undefined) {
    expression = createMachine(compile(pattern));
    if (cache.size >= maxCached) cache.clear();
    cache.set(pattern, expression);
  }
  return expression;
}

function compile(pattern: string): Instruction[] {
  const program: Instruction[] = [];

  function emit<T extends Instruction>(instruction: T): T {
    if (program.length >= maxInstructions) {
      throw new EvaluationError(`The regular expression ${JSON.stringify(pattern)} is too large.`);
    }
    program.push(instruction);
    return instruction;
  }

  function emitNode(node: PatternNode): void {
    switch (node.kind) {
      case 'character':
      case 'assertion':
        emit({ ...node });
        return;
      case 'sequence':
        node.parts.forEach(emitNode);
        return;
      case 'choice':
        emitChoice(node.options);
        return;
      case 'repetition':
        emitRepetition(node);
    }
  }

  function emitChoice(options: readonly PatternNode[]): void {
    const exits: { kind: 'jump'; to: number }[] = [];
    for (const [index, option] of options.entries()) {
      if (index === options.length - 1) {
        emitNode(option);
        break;
      }
      const split = emit({ kind: 'split', first: program.length + 1, second: 0 });
      emitNode(option);
      exits.push(emit({ kind: 'jump', to: 0 }));
      split.second = program.length;
    }
    for (const exit of exits) exit.to = program.length;
  }

  function emitRepetition({ part, min, max, isGreedy }: Extract<PatternNode, { kind: 'repetition' }>): void {
    for (let count = 0; count < min; count++) emitNode(part);
    const splitHere = () => emit({ kind: 'split', first: program.length + 1, second: program.length + 1 });
    const leave = (split: { first: number; second: number }) => {
      split[isGreedy ? 'second' : 'first'] = program.length;
    };
    if (max === Number.POSITIVE_INFINITY) {
      const start = program.length;
      const split = splitHere();
      emitNode(part);
      emit({ kind: 'jump', to: start });
      leave(split);
      return;
    }
    const splits: ReturnType<typeof splitHere>[] = [];
    for (let count = min; count < max; count++) {
      splits.push(splitHere());
      emitNode(part);
    }
    splits.forEach(leave);
  }

  emitNode(parsePattern(pattern));
  emit({ kind: 'match' });
  return program;
}

/** The instructions that threads wait at, in the order of preference, and where the match of each began. */
type Threads = { at: number[]; starts: number[] };

function createMachine(program: readonly Instruction[]): RegularExpression {
  /** The step in which each instruction was reached last: a thread that comes later has nothing to add. */
  const reachedIn = new Int32Array(program.length);
  let step = 0;

  /** Follows a new thread to the instructions that need a character, or to the end. */
  function addThread(threads: Threads, at: number, start: number, before?: string, after?: string): void {
    const pending = [at];
    for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
      if (reachedIn[next] === step) continue;
      reachedIn[next] = step;
      const instruction = program[next]!;
      if (instruction.kind === 'jump') pending.push(instruction.to);
      else if (instruction.kind === 'split') pending.push(instruction.second, instruction.first);
      else if (instruction.kind === 'assertion') {
        if (instruction.holds(before, after)) pending.push(next + 1);
      } else {
        threads.at.push(next);
        threads.starts.push(start);
      }
    }
  }

  /** @param isWhole Takes only the match of everything. */
  function run(characters: readonly string[], from: number, isWhole: boolean): PatternMatch | null {
    let current: Threads = { at: [], starts: [] };
    let found: PatternMatch | null = null;
    nextStep();
    for (let index = from; ; index++) {
      // A match further to the left wins: no new thread once there is one.
      const mayStart = found === null && (!isWhole || index === from);
      if (mayStart) addThread(current, 0, index, characters[index - 1], characters[index]);
      if (current.at.length === 0 && (found !== null || isWhole)) return found;
      const character = characters[index];
      const next: Threads = { at: [], starts: [] };
      nextStep();
      for (const [thread, at] of current.at.entries()) {
        const instruction = program[at]!;
        const start = current.starts[thread]!;
        if (instruction.kind === 'match') {
          if (isWhole && character !== undefined) continue;
          found = { start, end: index };
          // What comes after is less preferred.
          break;
        }
        if (character !== undefined && instruction.kind === 'character' && instruction.matches(character)) {
          addThread(next, at + 1, start, character, characters[index + 1]);
        }
      }
      if (character === undefined) return found;
      current = next;
    }
  }

  function nextStep(): void {
    step++;
    // Before the counter overflows.
    if (step < 2 ** 31 - 1) return;
    reachedIn.fill(0);
    step = 1;
  }

  return {
    matchesAll: (characters) => run(characters, 0, true) !== null,
    find: (characters, from) => run(characters, from, false),
  };
}
