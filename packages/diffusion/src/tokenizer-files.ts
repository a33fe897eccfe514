/** Reads a tokenizer folder: vocab.json with merges.txt, or tokenizer.json, and the special tokens from the configs beside them. */

import { join } from 'node:path';
import type { ClipTokenizerConfig } from './clip-tokenizer.ts';
import { DiffusionError } from './errors.ts';
import { fileExists, readJsonFile, readTextFile } from './json-file.ts';

/** Used where the folder names none: transformers' defaults for CLIP. */
const DEFAULT_BOS = '<|startoftext|>';
const DEFAULT_EOS = '<|endoftext|>';
/** transformers writes 1e30 for "no limit"; nothing above this is a real length. */
export const LARGEST_MAX_LENGTH = 100_000;

type Json = Record<string, unknown>;

/**
 * Reads one tokenizer folder. `fallbackMaxLength` serves folders whose config names no length.
 * Throws `model_folder_invalid` naming the file when one is missing, malformed, or names a token that the vocabulary lacks.
 */
export async function readTokenizerFolder(
  folder: string,
  fallbackMaxLength: number,
): Promise<ClipTokenizerConfig> {
  const tables = await readTables(folder);
  const special = await readOptionalJson(join(folder, 'special_tokens_map.json'));
  const config = await readOptionalJson(join(folder, 'tokenizer_config.json'));
  const named = (key: string) => contentOf(special[key]) ?? contentOf(config[key]);
  const eosToken = named('eos_token') ?? DEFAULT_EOS;
  const maxLength = config['model_max_length'];
  const tokenizer: ClipTokenizerConfig = {
    ...tables,
    bosToken: named('bos_token') ?? DEFAULT_BOS,
    eosToken,
    padToken: named('pad_token') ?? eosToken,
    unknownToken: named('unk_token') ?? eosToken,
    modelMaxLength:
      typeof maxLength === 'number' && maxLength < LARGEST_MAX_LENGTH ? maxLength : fallbackMaxLength,
  };
  for (const key of ['bosToken', 'eosToken', 'padToken', 'unknownToken'] as const) {
    if (!tokenizer.vocabulary.has(tokenizer[key])) {
      throw invalid(`The vocabulary in ${folder} lacks the ${key} ${JSON.stringify(tokenizer[key])}.`);
    }
  }
  if (!Number.isInteger(tokenizer.modelMaxLength) || tokenizer.modelMaxLength < 3) {
    throw invalid(
      `${folder}: model_max_length is ${tokenizer.modelMaxLength}; expected a whole number from 3.`,
    );
  }
  return tokenizer;
}

/** The vocabulary and merges, from whichever files the folder has. */
async function readTables(folder: string): Promise<Pick<ClipTokenizerConfig, 'vocabulary' | 'merges'>> {
  const [vocabularyPath, mergesPath] = [join(folder, 'vocab.json'), join(folder, 'merges.txt')];
  if ((await fileExists(vocabularyPath)) && (await fileExists(mergesPath))) {
    const lines = (await readTextFile(mergesPath))
      .split('\n')
      .filter((line) => line && !line.startsWith('#version'));
    return {
      vocabulary: parseVocabulary(await readJsonFile(vocabularyPath), vocabularyPath),
      merges: lines.map((line) => parseMerge(line.trimEnd(), mergesPath)),
    };
  }
  const combinedPath = join(folder, 'tokenizer.json');
  if (!(await fileExists(combinedPath))) {
    throw invalid(`${folder} has neither vocab.json with merges.txt nor tokenizer.json.`);
  }
  const combined = await readJsonFile(combinedPath);
  const model = (combined['model'] ?? {}) as Json;
  if (model['type'] !== 'BPE' || !Array.isArray(model['merges'])) {
    throw invalid(
      `${combinedPath}: model.type is ${JSON.stringify(model['type'])}; expected "BPE" with merges.`,
    );
  }
  const vocabulary = parseVocabulary((model['vocab'] ?? {}) as Json, combinedPath);
  for (const token of (combined['added_tokens'] ?? []) as { content: string; id: number }[]) {
    vocabulary.set(token.content, token.id);
  }
  return { vocabulary, merges: model['merges'].map((merge) => parseMerge(merge, combinedPath)) };
}

function parseVocabulary(json: Json, path: string): Map<string, number> {
  const entries = Object.entries(json);
  const wrong = entries.find(([, id]) => !Number.isInteger(id));
  if (wrong || entries.length === 0) {
    throw invalid(
      `${path}: expected tokens with whole-number ids${wrong ? `, but ${JSON.stringify(wrong[0])} has none` : ''}.`,
    );
  }
  return new Map(entries as [string, number][]);
}

/** A merge is "left right" in merges.txt and older tokenizer.json, [left, right] in newer ones. */
function parseMerge(merge: unknown, path: string): readonly [string, string] {
  const parts = typeof merge === 'string' ? merge.split(' ') : merge;
  if (!Array.isArray(parts) || parts.length !== 2 || !parts.every((part) => typeof part === 'string')) {
    throw invalid(`${path}: ${JSON.stringify(merge)} is not a merge of two symbols.`);
  }
  return parts as [string, string];
}

/** A special token is its text, or an object that holds it. */
export function contentOf(token: unknown): string | undefined {
  if (typeof token === 'string') return token;
  const content = (token as { content?: unknown } | null | undefined)?.content;
  return typeof content === 'string' ? content : undefined;
}

/** A JSON object, empty where the file is absent. */
export async function readOptionalJson(path: string): Promise<Json> {
  return (await fileExists(path)) ? readJsonFile(path) : {};
}

function invalid(message: string): DiffusionError {
  return new DiffusionError('model_folder_invalid', message);
}
