/** Calls the methods of values: `text.matches(…)`, `list.hasOnly(…)`, `time.year()` and so on, by type. */
import { durationParts, midnightOf, timeOfDay, timestampParts } from './calendar.ts';
import {
  listMethods,
  mapDiffMethods,
  mapMethods,
  mapOf,
  setMethods,
  unknownMethods,
} from './collection-methods.ts';
import { unknownValue } from './comparison.ts';
import { type MethodTable, textOf } from './method.ts';
import { bytesMethods, stringMethods } from './text-methods.ts';
import {
  type Duration,
  EvaluationError,
  isKind,
  type LatLng,
  type Path,
  pathOf,
  type RulesValue,
  type Timestamp,
  typeOf,
  type ValueType,
} from './values.ts';

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

const methodsByType: Partial<Record<ValueType, MethodTable>> = {
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
