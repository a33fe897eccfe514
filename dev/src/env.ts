/** The environment that a person may set for a stack: which models, and how jobs are dispatched, leased and painted. */
import { statSync } from 'node:fs';
import { delimiter, resolve } from 'node:path';
import { z } from 'zod';
import { shippedModelFolders } from './stack.ts';

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
  FIREPOD_WEIGHTS_FOLDER: z
    .string()
    .transform((folder) => resolve(folder))
    .optional(),
  HF_TOKEN: z.string().optional(),
  HF_ENDPOINT: z.url({ protocol: /^https?$/, error: 'an http or https address' }).optional(),
});

/** A model of the Hugging Face hub, as the worker takes it. */
const HUB_NAME = /^hf:[\w.-]+\/[\w.-]+(@[\w.-]+(\/[\w.-]+)*)?$/;

export interface StackSettings {
  /** Folders, and names of the Hugging Face hub as `hf:owner/name`. */
  models: string[];
  env: Record<string, string>;
}

/** @throws {Error} naming every variable whose value is not allowed, or a model's folder that is not there. */
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
  const models = set['FIREPOD_MODEL'] === undefined ? shippedModelFolders : modelsFrom(set['FIREPOD_MODEL']);
  return { models, env: Object.fromEntries(handedOn) };
}

/** A list as PATH has it; the colon behind `hf` does not end an entry. */
function modelsFrom(list: string): string[] {
  const entries = list.match(new RegExp(`hf:[^${delimiter}]*|[^${delimiter}]+`, 'g')) ?? [];
  return entries.map((entry) => {
    if (HUB_NAME.test(entry)) return entry;
    if (entry.startsWith('hf:'))
      throw new Error(
        `FIREPOD_MODEL: ${entry} is not allowed; expected hf:owner/name or hf:owner/name@revision.`,
      );
    const folder = resolve(entry);
    if (statSync(folder, { throwIfNoEntry: false })?.isDirectory()) return folder;
    throw new Error(
      `FIREPOD_MODEL: ${folder} is not there; expected a folder with a model in diffusers' ONNX layout.`,
    );
  });
}
