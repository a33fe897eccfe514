/** The environment that a person may set for a stack: which model, and how jobs are dispatched, leased and painted. */
import { statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { z } from 'zod';
import { cloneFolder } from './stack.ts';

const wholeNumber = (minimum: number, maximum: number) =>
  z
    .string()
    .refine(
      (text) => /^\d+$/.test(text) && Number(text) >= minimum && Number(text) <= maximum,
      `a whole number from ${minimum} to ${maximum}`,
    )
    .optional();

const oneOf = (...words: [string, ...string[]]) => z.enum(words, words.join(' or ')).optional();

/** Functions and workers check these too; here a mistake is told before anything starts. */
const handedOnSchema = z.object({
  FIREPOD_ENGINE_THREADS: wholeNumber(1, 256),
  FIREPOD_DISPATCH: oneOf('run', 'runsync'),
  FIREPOD_MEDIA_ACCESS: oneOf('public', 'private'),
  FIREPOD_MAX_ATTEMPTS: wholeNumber(1, 10),
  FIREPOD_LEASE_SECONDS: wholeNumber(5, 600),
});

export interface StackSettings {
  modelFolder: string;
  env: Record<string, string>;
}

/** @throws {Error} naming every variable whose value is not allowed, or the model's folder when it is not there. */
export function settingsFrom(env: NodeJS.ProcessEnv): StackSettings {
  const set = Object.fromEntries(Object.entries(env).filter(([, value]) => value !== ''));
  const parsed = handedOnSchema.safeParse(set);
  if (!parsed.success) {
    const problems = parsed.error.issues.map(({ path, message }) => {
      const name = String(path[0]);
      return `${name}: ${set[name]} is not allowed; expected ${message}.`;
    });
    throw new Error(problems.join('\n'));
  }
  const handedOn = Object.entries(parsed.data).flatMap(([name, value]) =>
    value === undefined ? [] : [[name, value]],
  );
  const modelFolder = resolve(set['FIREPOD_MODEL'] ?? join(cloneFolder, 'models/tiny-sdxl'));
  if (!statSync(modelFolder, { throwIfNoEntry: false })?.isDirectory()) {
    throw new Error(
      `FIREPOD_MODEL: ${modelFolder} is not there; expected a folder with a model in diffusers' ONNX layout.`,
    );
  }
  return { modelFolder, env: Object.fromEntries(handedOn) };
}
