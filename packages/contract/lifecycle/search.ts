/** Breadth-first search through every state that a small world can reach; the first fault found has a shortest way to it. */

/** One thing that can happen in a state. */
export interface Step<State> {
  readonly name: string;
  readonly next: State;
  /** What this step itself broke, if anything. */
  readonly fault: string | null;
}

export interface Model<State> {
  readonly starts: readonly Step<State>[];
  /** Everything that can happen next. */
  steps(state: State): Step<State>[];
  /** Equal for states from which the same things can happen. */
  key(state: State): string | number;
}

export interface Found {
  readonly states: number;
  readonly fault: string | null;
  /** Names of the steps to the fault, first to last. */
  readonly trace: readonly string[];
}

interface Visit<State> {
  readonly state: State;
  readonly name: string;
  readonly from: Visit<State> | null;
}

/** Visits every reachable state once, nearest first, and stops at the first fault. Throws beyond `statesMax`. */
export function search<State>(model: Model<State>, statesMax: number): Found {
  const seen = new Set<string | number>();
  const queue: Visit<State>[] = [];
  const visit = (step: Step<State>, from: Visit<State> | null): Found | null => {
    const here = { state: step.next, name: step.name, from };
    if (step.fault !== null) return { states: seen.size, fault: step.fault, trace: traceOf(here) };
    const key = model.key(step.next);
    if (seen.has(key)) return null;
    if (seen.size >= statesMax) throw new Error(`More than ${statesMax} states: make the world smaller.`);
    seen.add(key);
    queue.push(here);
    return null;
  };

  for (const start of model.starts) {
    const found = visit(start, null);
    if (found !== null) return found;
  }
  for (let index = 0; index < queue.length; index++) {
    const here = queue[index]!;
    for (const step of model.steps(here.state)) {
      const found = visit(step, here);
      if (found !== null) return found;
    }
  }
  return { states: seen.size, fault: null, trace: [] };
}

function traceOf<State>(last: Visit<State>): string[] {
  const names: string[] = [];
  for (let visit: Visit<State> | null = last; visit !== null; visit = visit.from) names.unshift(visit.name);
  return names;
}

/** The fault and the way to it, a line each. */
export function describeFound(found: Found): string {
  if (found.fault === null) return `${found.states} states, no fault`;
  return [found.fault, ...found.trace.map((name, index) => `${index + 1}. ${name}`)].join('\n');
}
