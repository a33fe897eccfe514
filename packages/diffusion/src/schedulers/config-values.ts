/** Reads single values of a scheduler_config.json, so that each failure names the key, its value and what was expected. */

import { DiffusionError } from '../errors.ts';

/** The error for a value that has the wrong type or is none of the choices. */
export function invalidValue(key: string, value: unknown, expected: string): DiffusionError {
  return new DiffusionError(
    'model_folder_invalid',
    `scheduler_config.json: ${key} is ${JSON.stringify(value)}; expected ${expected}.`,
  );
}

/** A number; undefined where the key is absent or null. */
export function numberOf(json: Record<string, unknown>, key: string): number | undefined {
  const value = json[key] ?? undefined;
  if (value === undefined) return undefined;
  if (typeof value !== 'number' || !Number.isFinite(value)) throw invalidValue(key, value, 'a number');
  return value;
}

/** One of the choices; undefined where the key is absent or null. */
export function choiceOf<Choice>(
  json: Record<string, unknown>,
  key: string,
  choices: readonly Choice[],
): Choice | undefined {
  const value = json[key] ?? undefined;
  if (value === undefined) return undefined;
  const choice = choices.find((candidate) => candidate === value);
  if (choice === undefined) throw invalidValue(key, value, `one of ${choices.join(', ')}`);
  return choice;
}
