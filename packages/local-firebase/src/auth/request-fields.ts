/** Reads typed fields from a JSON request body and refuses wrong types with the words of Google's JSON front end. */
import { AuthRequestError } from './errors.ts';

/** A parsed JSON object from the wire, nothing known about it. */
export type JsonObject = Record<string, unknown>;

/** Whether a value is a JSON object and neither null nor an array. */
export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Typed access to a body. Absent and null fields read as undefined. */
export type RequestFields = {
  text(name: string): string | undefined;
  flag(name: string): boolean | undefined;
  /** A 64-bit integer, which JSON may carry as a string or a number. */
  integer(name: string): number | undefined;
  /** Empty when absent. */
  texts(name: string): string[];
  /** Empty when absent. */
  objects(name: string): JsonObject[];
  object(name: string): JsonObject | undefined;
};

/** @throws AuthRequestError from the readers, when a field has another type. */
export function requestFields(body: JsonObject): RequestFields {
  function read<T>(name: string, type: string, convert: (value: unknown) => T | undefined): T | undefined {
    const value = body[name] ?? undefined;
    if (value === undefined) return undefined;
    const converted = convert(value);
    if (converted !== undefined) return converted;
    const message = `Invalid value at '${name}' (${type}), ${JSON.stringify(value)}`;
    throw new AuthRequestError(message, { status: 'INVALID_ARGUMENT' });
  }
  const text = (value: unknown) => (typeof value === 'string' ? value : undefined);
  const object = (value: unknown) => (isJsonObject(value) ? value : undefined);
  function everyOne<T>(convert: (value: unknown) => T | undefined) {
    return (value: unknown): T[] | undefined => {
      if (!Array.isArray(value)) return undefined;
      const converted = value.map(convert);
      return converted.includes(undefined) ? undefined : (converted as T[]);
    };
  }
  return {
    text: (name) => read(name, 'TYPE_STRING', text),
    flag: (name) => read(name, 'TYPE_BOOL', (value) => (typeof value === 'boolean' ? value : undefined)),
    integer: (name) =>
      read(name, 'TYPE_INT64', (value) => {
        const number = typeof value === 'string' && /^-?\d{1,15}$/.test(value) ? Number(value) : value;
        return Number.isSafeInteger(number) ? (number as number) : undefined;
      }),
    texts: (name) => read(name, 'TYPE_STRING', everyOne(text)) ?? [],
    objects: (name) => read(name, 'TYPE_MESSAGE', everyOne(object)) ?? [],
    object: (name) => read(name, 'TYPE_MESSAGE', object),
  };
}
