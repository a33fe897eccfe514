/** `request.auth`: who asks, as the ID token says it. */
import type { JsonObject } from '../auth/request-fields.ts';
import type { RulesMap, RulesValue } from './values.ts';

/** A signed-in user; `claims` is the whole payload of the ID token. */
export type Identity = { uid: string; claims: JsonObject };

/** Null for nobody. */
export function authValue(identity: Identity | null): RulesMap | null {
  if (identity === null) return null;
  return new Map<string, RulesValue>([
    ['uid', identity.uid],
    ['token', jsonValue(identity.claims)],
  ]);
}

/** A JSON value as rules see it: whole numbers are ints. */
export function jsonValue(json: unknown): RulesValue {
  if (json === null || typeof json === 'boolean' || typeof json === 'string') return json;
  if (typeof json === 'number') return Number.isSafeInteger(json) ? BigInt(json) : json;
  if (Array.isArray(json)) return json.map(jsonValue);
  if (typeof json !== 'object') return null;
  return new Map(Object.entries(json).map(([key, value]) => [key, jsonValue(value)]));
}
