/** The methods of values: `text.matches(…)`, `list.hasOnly(…)`, `map.get(…)` and so on, by type. */
import { durationParts, midnightOf, timeOfDay, timestampParts } from './calendar.ts';
import { areEqual, contains, impliedComparison, unknownValue } from './comparison.ts';
import { regularExpression } from './regular-expression.ts';
import {
  type Duration,
  describeValue,
  EvaluationError,
  isKind,
  isList,
  isMap,
  type LatLng,
  type MapDiff,
  type PartialMap,
  type Path,
  pathOf,
  type RulesList,
  type RulesMap,
  type RulesSet,
  type RulesValue,
  type Timestamp,
  typeOf,
  type Unknown,
  type ValueType,
} from './values.ts';

/** A method: how many arguments it takes, and what it does with them. */
type ValueMethod = { arity: number; call: (self: never, parameters: readonly RulesValue[]) => RulesValue };

/** The distinct values of a list, in their order. */
export function setOf(elements: RulesList): RulesSet {
  const distinct: RulesValue[] = [];
  for (const element of elements) if (!contains(distinct, element)) distinct.push(element);
  return { kind: 'set', elements: distinct };
}

/** @throws EvaluationError when it is no string. */
export function textOf(value: RulesValue): string {
  if (typeof value === 'string') return value;
  throw new EvaluationError(`Expected a string, got ${typeOf(value)}.`);
}

/** The elements of a list or set. @throws EvaluationError */
function elementsOf(value: RulesValue): RulesList {
  if (isList(value)) return value;
  if (isKind(value, 'set')) return value.elements;
  throw new EvaluationError(`Expected a list or a set, got ${typeOf(value)}.`);
}

function mapOf(value: RulesValue): RulesMap {
  if (isMap(value)) return value;
  throw new EvaluationError(`Expected a map, got ${typeOf(value)}.`);
}

/** Longer than any value that a document can hold, and short enough to build a thousand of them. */
const maxLength = 2 ** 22;

/** Bounds what a condition can build from its own results. @throws EvaluationError */
export function ensureLength(length: number): void {
  if (length > maxLength) throw new EvaluationError(`A value would be longer than ${maxLength}.`);
}

const size = (count: number) => BigInt(count);

const stringMethods = {
  size: { arity: 0, call: (self: string) => size([...self].length) },
  lower: { arity: 0, call: (self: string) => self.toLowerCase() },
  upper: { arity: 0, call: (self: string) => self.toUpperCase() },
  trim: { arity: 0, call: (self: string) => self.trim() },
  toUtf8: { arity: 0, call: (self: string) => Buffer.from(self, 'utf8') },
  matches: {
    arity: 1,
    call: (self: string, [pattern]: readonly RulesValue[]) =>
      regularExpression(textOf(pattern!), true).test(self),
  },
  replace: {
    arity: 2,
    call(self: string, [pattern, substitute]: readonly RulesValue[]) {
      const text = textOf(substitute!);
      ensureLength((self.length + 1) * text.length);
      // The substitute is text, not a pattern of JavaScript's.
      return self.replace(regularExpression(textOf(pattern!), false), () => text);
    },
  },
  split: {
    arity: 1,
    call(self: string, [pattern]: readonly RulesValue[]) {
      const parts: string[] = [];
      let from = 0;
      for (const { 0: text, index } of self.matchAll(regularExpression(textOf(pattern!), false))) {
        if (text === '' && (index === 0 || index >= self.length)) continue;
        parts.push(self.slice(from, index));
        from = index + text.length;
      }
      return [...parts, self.slice(from)];
    },
  },
};

const bytesMethods = {
  size: { arity: 0, call: (self: Uint8Array) => size(self.length) },
  toBase64: { arity: 0, call: (self: Uint8Array) => Buffer.from(self).toString('base64') },
  toHexString: { arity: 0, call: (self: Uint8Array) => Buffer.from(self).toString('hex') },
};

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

const listMethods = {
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

const setMethods = {
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

const mapMethods = {
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

const mapDiffMethods = {
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

const partsAsMethods = <Self>(parts: Record<string, (self: Self) => bigint>) =>
  Object.fromEntries(Object.entries(parts).map(([name, part]) => [name, { arity: 0, call: part }]));

const timestampMethods = {
  ...partsAsMethods<Timestamp>(timestampParts),
  date: { arity: 0, call: midnightOf },
  time: { arity: 0, call: timeOfDay },
};

const durationMethods = partsAsMethods<Duration>(durationParts);

const latLngMethods = {
  latitude: { arity: 0, call: (self: LatLng) => self.latitude },
  longitude: { arity: 0, call: (self: LatLng) => self.longitude },
  distance: {
    arity: 1,
    call(self: LatLng, [other]: readonly RulesValue[]) {
      if (!isKind(other!, 'latlng')) throw new EvaluationError(`Expected a latlng, got ${typeOf(other!)}.`);
      return greatCircleMeters(self, other);
    },
  },
};

/** Haversine on a sphere with the mean radius of the earth. */
function greatCircleMeters(from: LatLng, to: LatLng): number {
  const radiusMeters = 6_371_008.8;
  const radians = (degrees: number) => (degrees * Math.PI) / 180;
  const halfLatitude = radians(to.latitude - from.latitude) / 2;
  const halfLongitude = radians(to.longitude - from.longitude) / 2;
  const chord =
    Math.sin(halfLatitude) ** 2 +
    Math.cos(radians(from.latitude)) * Math.cos(radians(to.latitude)) * Math.sin(halfLongitude) ** 2;
  return 2 * radiusMeters * Math.asin(Math.min(1, Math.sqrt(chord)));
}

const pathMethods = {
  bind: {
    arity: 1,
    call: (self: Path, [bindings]: readonly RulesValue[]) => {
      const values = mapOf(bindings!);
      return pathOf(
        self.segments.flatMap((segment) => {
          const name = /^\$\(([A-Za-z_][A-Za-z0-9_]*)(?:=\*\*)?\)$/.exec(segment)?.[1];
          const value = name === undefined ? undefined : values.get(name);
          if (value === undefined) return [segment];
          return isKind(value, 'path') ? value.segments : [textOf(value)];
        }),
      );
    },
  },
};

/** What a query's filter can imply about an array that it leaves open. */
const unknownMethods = {
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

const methodsByType: Partial<Record<ValueType, Record<string, ValueMethod>>> = {
  bytes: bytesMethods,
  duration: durationMethods,
  latlng: latLngMethods,
  list: listMethods,
  map: mapMethods,
  map_diff: mapDiffMethods,
  path: pathMethods,
  set: setMethods,
  string: stringMethods,
  timestamp: timestampMethods,
  unknown: unknownMethods,
};

/** How many arguments the methods of a name take, whatever their type; empty where there is no such method. */
export function methodArities(name: string): Set<number> {
  const found = Object.values(methodsByType).filter((methods) => Object.hasOwn(methods, name));
  return new Set(found.map((methods) => methods[name]!.arity));
}

/** @throws EvaluationError when the value's type has no such method. */
export function callMethod(self: RulesValue, name: string, parameters: readonly RulesValue[]): RulesValue {
  const type = typeOf(self);
  const methods = methodsByType[type];
  const method = methods !== undefined && Object.hasOwn(methods, name) ? methods[name] : undefined;
  if (method === undefined) {
    if (type === 'unknown') throw unknownValue();
    throw new EvaluationError(`A value of type ${type} has no method "${name}".`);
  }
  if (parameters.length !== method.arity) {
    throw new EvaluationError(
      `"${name}" of ${type} takes ${method.arity} arguments, got ${parameters.length}.`,
    );
  }
  // A partial map keeps to the methods that can say something about it.
  if (isKind(self, 'partial_map') && name !== 'get') throw unknownValue();
  return method.call(self as never, parameters);
}
