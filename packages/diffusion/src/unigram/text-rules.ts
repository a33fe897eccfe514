/** The `normalizer` and `pre_tokenizer` of a tokenizer.json, in the forms that Unigram tokenizers have. */

import { DiffusionError } from '../errors.ts';
import { escapeRegExp } from '../escape-reg-exp.ts';
import { createCharsmapNormalizer } from './precompiled-charsmap.ts';

type Json = Record<string, unknown>;

/** Text to text. */
export type Normalizer = (text: string) => string;
/** One stretch of text to its words; `isFirst` says that it begins the prompt. */
export type PreTokenizer = (text: string, isFirst: boolean) => string[];

const UNICODE_FORMS = ['NFC', 'NFD', 'NFKC', 'NFKD'] as const;

/** Builds the normaliser; null is none. Throws `unsupported` naming a type that is not known. */
export function createNormalizer(rule: Json | null | undefined): Normalizer {
  if (!rule) return (text) => text;
  const form = UNICODE_FORMS.find((name) => name === rule['type']);
  if (form) return (text) => text.normalize(form);
  switch (rule['type']) {
    case 'Sequence': {
      const steps = listOf(rule, 'normalizers').map(createNormalizer);
      return (text) => steps.reduce((current, step) => step(current), text);
    }
    case 'Precompiled':
      return createPrecompiled(Buffer.from(String(rule['precompiled_charsmap'] ?? ''), 'base64'));
    case 'Lowercase':
      // One code point at a time: toLowerCase on a whole word would make a final sigma of its last one.
      return (text) => Array.from(text, (character) => character.toLowerCase()).join('');
    case 'Strip':
      return (text) =>
        stripBlanks(text, { left: rule['strip_left'] !== false, right: rule['strip_right'] !== false });
    case 'Replace': {
      const pattern = patternOf(rule);
      const content = String(rule['content'] ?? '');
      return (text) => text.replace(pattern, () => content);
    }
    case 'Prepend':
      return (text) => (text === '' ? text : String(rule['prepend'] ?? '') + text);
    default:
      throw unsupported('normalizer', rule['type']);
  }
}

/** Builds the pre-tokenizer; null is none. Throws `unsupported` naming a type that is not known. */
export function createPreTokenizer(rule: Json | null | undefined): PreTokenizer {
  if (!rule) return (text) => [text];
  switch (rule['type']) {
    case 'Sequence': {
      const steps = listOf(rule, 'pretokenizers').map(createPreTokenizer);
      return (text, isFirst) =>
        steps.reduce(
          (words, step) =>
            words.flatMap((word, index) => step(word, isFirst && index === 0 && text.startsWith(word))),
          [text],
        );
    }
    case 'WhitespaceSplit':
      return (text) => text.split(/\p{White_Space}+/u).filter((word) => word !== '');
    case 'Metaspace':
      return createMetaspace(rule);
    default:
      throw unsupported('pre_tokenizer', rule['type']);
  }
}

/** Blanks become a visible mark, which also begins the text, and each word begins with its mark. */
function createMetaspace(rule: Json): PreTokenizer {
  const mark = String(rule['replacement'] ?? '▁');
  // Files from before 2024 have add_prefix_space instead of a scheme.
  const scheme = rule['prepend_scheme'] ?? (rule['add_prefix_space'] === false ? 'never' : 'always');
  const isSplit = rule['split'] !== false;
  return (text, isFirst) => {
    const marked = text.replaceAll(' ', mark);
    const isPrepended =
      marked !== '' && !marked.startsWith(mark) && (scheme === 'always' || (scheme === 'first' && isFirst));
    const whole = isPrepended ? mark + marked : marked;
    if (!isSplit) return whole === '' ? [] : [whole];
    const [beginning = '', ...words] = whole.split(mark);
    return [...(beginning === '' ? [] : [beginning]), ...words.map((word) => mark + word)];
  };
}

function createPrecompiled(blob: Uint8Array): Normalizer {
  try {
    return createCharsmapNormalizer(blob);
  } catch (cause) {
    throw new DiffusionError('model_folder_invalid', `tokenizer.json: ${(cause as Error).message}`, {
      cause,
    });
  }
}

/** The text without its blanks (Unicode's White_Space) on the sides that are true. */
export function stripBlanks(text: string, { left, right }: { left: boolean; right: boolean }): string {
  const stripped = left ? text.replace(/^\p{White_Space}+/u, '') : text;
  return right ? stripped.replace(/\p{White_Space}+$/u, '') : stripped;
}

/** A pattern is plain text or a regular expression of Oniguruma, whose simple ones JavaScript reads in the same way. */
function patternOf(rule: Json): RegExp {
  const { String: plain, Regex: source } = (rule['pattern'] ?? {}) as { String?: string; Regex?: string };
  try {
    if (plain !== undefined) return new RegExp(escapeRegExp(plain), 'gu');
    if (source !== undefined) return new RegExp(source.replaceAll('\\s', '\\p{White_Space}'), 'gu');
  } catch (cause) {
    throw new DiffusionError('unsupported', `tokenizer.json: the pattern ${source} cannot be used.`, {
      cause,
    });
  }
  throw unsupported('normalizer', 'Replace without a pattern');
}

function listOf(rule: Json, key: string): Json[] {
  const list = rule[key];
  if (Array.isArray(list)) return list as Json[];
  throw new DiffusionError('model_folder_invalid', `tokenizer.json: a Sequence lacks its list ${key}.`);
}

function unsupported(key: string, type: unknown): DiffusionError {
  return new DiffusionError('unsupported', `tokenizer.json has a ${key} of type ${JSON.stringify(type)}.`);
}
