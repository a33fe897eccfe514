/** Reads the tokenizer folder of a T5 or UMT5: tokenizer.json (Unigram), and the padding and length from the files beside it. */

import { join } from 'node:path';
import { DiffusionError } from '../errors.ts';
import { fileExists, readJsonFile } from '../json-file.ts';
import { contentOf, LARGEST_MAX_LENGTH, readOptionalJson } from '../tokenizer-files.ts';
import type { AddedToken, T5TokenizerConfig } from './t5-tokenizer.ts';
import { createNormalizer, createPreTokenizer } from './text-rules.ts';
import { createUnigramEncoder } from './unigram-model.ts';

type Json = Record<string, unknown>;

/** Wan 2.1's prompt length, for tokenizer folders that name none. */
export const WAN_PROMPT_TOKENS = 512;

/**
 * Reads one tokenizer folder. `fallbackMaxLength` serves folders whose config names no length. Throws `model_folder_invalid` naming
 * the file when it is missing or malformed, `unsupported` for a tokenizer of another kind.
 */
export async function readT5TokenizerFolder(
  folder: string,
  fallbackMaxLength: number,
): Promise<T5TokenizerConfig> {
  const path = join(folder, 'tokenizer.json');
  if (!(await fileExists(path))) throw invalid(`${folder} has no tokenizer.json.`);
  const json = await readJsonFile(path);
  const special = await readOptionalJson(join(folder, 'special_tokens_map.json'));
  const config = await readOptionalJson(join(folder, 'tokenizer_config.json'));

  const model = (json['model'] ?? {}) as Json;
  const vocabulary = model['vocab'];
  const unknownId = model['unk_id'];
  if (!isVocabulary(vocabulary) || typeof unknownId !== 'number' || !(unknownId in vocabulary)) {
    throw invalid(
      `${path}: model.type is ${JSON.stringify(model['type'])}; expected "Unigram" with a list of pieces and scores and an unk_id.`,
    );
  }
  const addedTokens = ((json['added_tokens'] ?? []) as Json[]).map((token) => addedTokenOf(token, path));
  const padToken = contentOf(special['pad_token']) ?? contentOf(config['pad_token']) ?? '<pad>';
  const padId =
    addedTokens.find(({ content }) => content === padToken)?.id ??
    vocabulary.findIndex(([piece]) => piece === padToken);
  if (padId < 0) throw invalid(`${path} lacks the padding token ${JSON.stringify(padToken)}.`);
  const maxLength = config['model_max_length'];
  const modelMaxLength =
    typeof maxLength === 'number' && maxLength < LARGEST_MAX_LENGTH ? maxLength : fallbackMaxLength;
  if (!Number.isInteger(modelMaxLength) || modelMaxLength < 2) {
    throw invalid(`${folder}: model_max_length is ${modelMaxLength}; expected a whole number from 2.`);
  }
  return {
    addedTokens,
    normalize: createNormalizer(json['normalizer'] as Json | null),
    preTokenize: createPreTokenizer(json['pre_tokenizer'] as Json | null),
    encodeWord: createUnigramEncoder({
      vocabulary,
      unknownId,
      byteFallback: model['byte_fallback'] === true,
    }),
    ...templateOf(json['post_processor'] as Json | null, path),
    padId,
    modelMaxLength,
  };
}

function isVocabulary(value: unknown): value is [string, number][] {
  return (
    Array.isArray(value) &&
    value.length > 0 &&
    value.every(
      (entry) => Array.isArray(entry) && typeof entry[0] === 'string' && typeof entry[1] === 'number',
    )
  );
}

function addedTokenOf(token: Json, path: string): AddedToken {
  const { id, content } = token;
  if (typeof id !== 'number' || typeof content !== 'string' || content === '') {
    throw invalid(`${path}: ${JSON.stringify(token)} is not an added token.`);
  }
  if (token['single_word'] === true || (token['normalized'] === true && token['special'] !== true)) {
    throw new DiffusionError(
      'unsupported',
      `${path}: the added token ${JSON.stringify(content)} is sought in normalised text or as a whole word; expected neither.`,
    );
  }
  return { id, content, stripsLeft: token['lstrip'] === true, stripsRight: token['rstrip'] === true };
}

/** What a TemplateProcessing puts before and behind one text. */
function templateOf(
  rule: Json | null | undefined,
  path: string,
): Pick<T5TokenizerConfig, 'prefixIds' | 'suffixIds'> {
  if (!rule) return { prefixIds: [], suffixIds: [] };
  const template = rule['single'];
  if (rule['type'] !== 'TemplateProcessing' || !Array.isArray(template)) {
    throw new DiffusionError(
      'unsupported',
      `${path} has a post_processor of type ${JSON.stringify(rule['type'])}; expected TemplateProcessing.`,
    );
  }
  const tokens = (rule['special_tokens'] ?? {}) as Record<string, { ids?: number[] }>;
  const middle = template.findIndex((item: Json) => 'Sequence' in item);
  const idsOf = (items: { SpecialToken?: { id: string } }[]) =>
    items.flatMap((item) => tokens[item.SpecialToken?.id ?? '']?.ids ?? []);
  return { prefixIds: idsOf(template.slice(0, middle)), suffixIds: idsOf(template.slice(middle + 1)) };
}

function invalid(message: string): DiffusionError {
  return new DiffusionError('model_folder_invalid', message);
}
