/** CLIP's tokenizer: cleaned-up text to a fixed-length list of ids, the same ids as transformers' CLIPTokenizer. */

import { createBytePairEncoder } from './byte-pair-encoding.ts';
import { escapeRegExp } from './escape-reg-exp.ts';

/** What a tokenizer folder says; see tokenizer-files.ts for how it is read. */
export interface ClipTokenizerConfig {
  /** Token to id. */
  readonly vocabulary: ReadonlyMap<string, number>;
  /** Symbol pairs, most important first. */
  readonly merges: readonly (readonly [string, string])[];
  readonly bosToken: string;
  readonly eosToken: string;
  readonly padToken: string;
  readonly unknownToken: string;
  /** The length of every id list, BOS and EOS included. */
  readonly modelMaxLength: number;
}

/** Turns text into ids. */
export interface ClipTokenizer {
  readonly modelMaxLength: number;
  /** BOS, the text's ids cut to fit, EOS, then padding: always `modelMaxLength` ids. `truncated` counts the ids that were cut. */
  encode(text: string): { ids: number[]; truncated: number };
}

/** CLIP's words: contractions, runs of letters, single digits, runs of anything else but white space. */
const WORD = /'s|'t|'re|'ve|'m|'ll|'d|\p{L}+|\p{N}|[^\p{White_Space}\p{L}\p{N}]+/gu;

/** Creates a tokenizer; every token that the config names must be in the vocabulary (tokenizer-files.ts checks it). */
export function createClipTokenizer(config: ClipTokenizerConfig): ClipTokenizer {
  const { vocabulary, modelMaxLength } = config;
  const idOf = (token: string) => vocabulary.get(token)!;
  const bosId = idOf(config.bosToken);
  const eosId = idOf(config.eosToken);
  const padId = idOf(config.padToken);
  const unknownId = idOf(config.unknownToken);
  const encodeWord = createBytePairEncoder(config.merges);
  // Special tokens in a prompt become their id. SDXL's second tokenizer has "!" as padding, so there "!" in a prompt is one of them.
  const specialTokens = [
    ...new Set([config.bosToken, config.eosToken, config.padToken, config.unknownToken]),
  ];
  const specialPattern = new RegExp(`(${specialTokens.map(escapeRegExp).join('|')})`, 'u');

  function idsOf(text: string): number[] {
    return text.split(specialPattern).flatMap((piece) => {
      if (specialTokens.includes(piece)) return [idOf(piece)];
      const words = cleanUp(piece).match(WORD) ?? [];
      return words.flatMap(encodeWord).map((token) => vocabulary.get(token) ?? unknownId);
    });
  }

  return {
    modelMaxLength,
    encode(text) {
      const all = idsOf(text);
      const kept = all.slice(0, modelMaxLength - 2);
      const padding = new Array<number>(modelMaxLength - 2 - kept.length).fill(padId);
      return { ids: [bosId, ...kept, eosId, ...padding], truncated: all.length - kept.length };
    },
  };
}

/** NFC and lower case, one code point at a time: toLowerCase on a whole word would make a final sigma of its last one. */
function cleanUp(text: string): string {
  return Array.from(text.normalize('NFC'), (character) => character.toLowerCase()).join('');
}
