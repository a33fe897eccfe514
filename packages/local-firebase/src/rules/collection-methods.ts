/** The methods of lists, sets, maps and differences of maps, and of those that a query leaves partly open. */
import { areEqual, contains, impliedComparison, unknownValue } from './comparison.ts';
import { ensureLength, size, textOf } from './method.ts';
import {
  describeValue,
  EvaluationError,
  isKind,
  isList,
  isMap,
  type MapDiff,
  type PartialMap,
  type RulesList,
  type RulesMap,
  type RulesSet,
  type RulesValue,
  typeOf,
  type Unknown,
} from './values.ts';

/** The distinct values of a list, in their order. */
function setOf(elements: RulesList): RulesSet {
  const distinct: RulesValue[] = [];
  for (const element of elements) if (!contains(distinct, element)) distinct.push(element);
  return { kind: 'set', elements: distinct };
}

/** The elements of a list or set. @throws EvaluationError */
function elementsOf(value: RulesValue): RulesList {
  if (isList(value)) return value;
  if (isKind(value, 'set')) return value.elements;
  throw new EvaluationError(`Expected a list or a set, got ${typeOf(value)}.`);
}

/** @throws EvaluationError when it is no map. */
export function mapOf(value: RulesValue): RulesMap {
  if (isMap(value)) return value;
  throw new EvaluationError(`Expected a map, got ${typeOf(value)}.`);
}

const membershipMethods = {
  hasAll: {
    arity: 1,
    call: (self: RulesList | RulesSet, [wanted]: readonly RulesValue[]) =>
      elementsOf(wanted!).every((element) => contains(elementsOf(self), element)),
  },
  hasAny: {
    arity: 1,
    call: (self: RulesList | RulesSet, [wanted]: readonly RulesValue[]) =>
      elementsOf(wanted!).some((element) => contains(elementsOf(self), element)),
  },
  hasOnly: {
    arity: 1,
    call: (self: RulesList | RulesSet, [allowed]: readonly RulesValue[]) =>
      elementsOf(self).every((element) => contains(elementsOf(allowed!), element)),
  },
  size: { arity: 0, call: (self: RulesList | RulesSet) => size(elementsOf(self).length) },
};

export const listMethods = {
  ...membershipMethods,
  concat: {
    arity: 1,
    call: (self: RulesList, [more]: readonly RulesValue[]) => {
      if (!isList(more!)) throw new EvaluationError(`Expected a list, got ${typeOf(more!)}.`);
      ensureLength(self.length + more.length);
      return [...self, ...more];
    },
  },
  join: {
    arity: 1,
    call(self: RulesList, [separator]: readonly RulesValue[]) {
      const text = textOf(separator!);
      const parts = self.map((element) => (typeof element === 'string' ? element : describeValue(element)));
      ensureLength(parts.reduce((length, part) => length + part.length + text.length, 0));
      return parts.join(text);
    },
  },
  removeAll: {
    arity: 1,
    call: (self: RulesList, [unwanted]: readonly RulesValue[]) =>
      self.filter((element) => !contains(elementsOf(unwanted!), element)),
  },
  toSet: { arity: 0, call: (self: RulesList) => setOf(self) },
};

export const setMethods = {
  ...membershipMethods,
  difference: {
    arity: 1,
    call: (self: RulesSet, [other]: readonly RulesValue[]) =>
      setOf(self.elements.filter((element) => !contains(elementsOf(other!), element))),
  },
  intersection: {
    arity: 1,
    call: (self: RulesSet, [other]: readonly RulesValue[]) =>
      setOf(self.elements.filter((element) => contains(elementsOf(other!), element))),
  },
  union: {
    arity: 1,
    call: (self: RulesSet, [other]: readonly RulesValue[]) =>
      setOf([...self.elements, ...elementsOf(other!)]),
  },
};

/** `map.get('a', d)`, and `map.get(['a', 'b'], d)` for what lies deeper. */
function getOr(self: RulesMap | PartialMap, [key, fallback]: readonly RulesValue[]): RulesValue {
  const keys = (isList(key!) ? key : [key!]).map(textOf);
  let value: RulesValue = self;
  for (const name of keys) {
    if (isKind(value, 'partial_map')) {
      const known = value.known.get(name);
      // Whether the field is there is open, so the fallback may or may not apply.
      if (known === undefined) throw unknownValue();
      value = known;
      continue;
    }
    if (!isMap(value)) return fallback!;
    const inner: RulesValue | undefined = value.get(name);
    if (inner === undefined) return fallback!;
    value = inner;
  }
  return value;
}

export const mapMethods = {
  size: { arity: 0, call: (self: RulesMap) => size(self.size) },
  keys: { arity: 0, call: (self: RulesMap) => [...self.keys()] },
  values: { arity: 0, call: (self: RulesMap) => [...self.values()] },
  get: { arity: 2, call: getOr },
  diff: {
    arity: 1,
    call: (self: RulesMap, [before]: readonly RulesValue[]): MapDiff => ({
      kind: 'map_diff',
      before: mapOf(before!),
      after: self,
    }),
  },
};

function keysWhere(keys: Iterable<string>, holds: (key: string) => boolean): RulesSet {
  return { kind: 'set', elements: [...keys].filter(holds) };
}

/** Whether a key of both maps has another value. */
function isChanged({ before, after }: MapDiff, key: string): boolean {
  const [old, now] = [before.get(key), after.get(key)];
  return old !== undefined && now !== undefined && !areEqual(old, now);
}

export const mapDiffMethods = {
  addedKeys: {
    arity: 0,
    call: ({ before, after }: MapDiff) => keysWhere(after.keys(), (key) => !before.has(key)),
  },
  removedKeys: {
    arity: 0,
    call: ({ before, after }: MapDiff) => keysWhere(before.keys(), (key) => !after.has(key)),
  },
  changedKeys: {
    arity: 0,
    call: (self: MapDiff) => keysWhere(self.after.keys(), (key) => isChanged(self, key)),
  },
  unchangedKeys: {
    arity: 0,
    call: (self: MapDiff) =>
      keysWhere(self.after.keys(), (key) => self.before.has(key) && !isChanged(self, key)),
  },
  affectedKeys: {
    arity: 0,
    call: (self: MapDiff) =>
      keysWhere(
        new Set([...self.before.keys(), ...self.after.keys()]),
        (key) => !(self.before.has(key) && self.after.has(key)) || isChanged(self, key),
      ),
  },
};

/** What a query's filter can imply about an array that it leaves open. */
export const unknownMethods = {
  hasAny: {
    arity: 1,
    call(self: Unknown, [wanted]: readonly RulesValue[]) {
      const isImplied = elementsOf(wanted!).some((element) =>
        self.constraints.some(({ operator, value }) => operator === 'contains' && areEqual(value, element)),
      );
      if (!isImplied) throw unknownValue();
      return true;
    },
  },
  hasAll: {
    arity: 1,
    call: (self: Unknown, [wanted]: readonly RulesValue[]) =>
      elementsOf(wanted!).every((element) => impliedComparison('contains', self, element)),
  },
};
