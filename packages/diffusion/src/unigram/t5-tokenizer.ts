/** T5's and UMT5's tokenizer: text to ids and a mask of a fixed length, the same ids as the `tokenizers` library's. */

import { escapeRegExp } from '../escape-reg-exp.ts';
import { type Normalizer, type PreTokenizer, stripBlanks } from './text-rules.ts';

/** A token that is cut out of the text before anything else happens to it. */
export interface AddedToken {
  readonly id: number;
  readonly content: string;
  /** Whether the blanks on that side of it are cut out with it. */
  readonly stripsLeft: boolean;
  readonly stripsRight: boolean;
}

/** What a tokenizer folder says; see t5-tokenizer-files.ts for how it is read. */
export interface T5TokenizerConfig {
  readonly addedTokens: readonly AddedToken[];
  readonly normalize: Normalizer;
  readonly preTokenize: PreTokenizer;
  /** One word to its ids. */
  readonly encodeWord: (word: string) => number[];
  /** Ids before and behind every text; T5 has only `</s>`, behind. */
  readonly prefixIds: readonly number[];
  readonly suffixIds: readonly number[];
  readonly padId: number;
  /** The length of every id list. */
  readonly modelMaxLength: number;
}

/** Turns text into ids. */
export interface T5Tokenizer {
  readonly modelMaxLength: number;
  /** `modelMaxLength` ids, padded behind, and how many of them are the text's own. `truncated` counts ids that were cut off. */
  encode(text: string): { ids: number[]; length: number; truncated: number };
}

/** Creates a tokenizer. */
export function createT5Tokenizer(config: T5TokenizerConfig): T5Tokenizer {
  const { addedTokens, prefixIds, suffixIds, modelMaxLength } = config;
  const byContent = new Map(addedTokens.map((token) => [token.content, token]));
  // Of tokens that begin alike the longest is taken.
  const contents = [...byContent.keys()].sort((one, other) => other.length - one.length);
  const addedPattern =
    contents.length > 0 ? new RegExp(`(${contents.map(escapeRegExp).join('|')})`, 'u') : undefined;

  function idsOf(text: string): number[] {
    const stretches = addedPattern ? text.split(addedPattern) : [text];
    return stretches.flatMap((stretch, index) => {
      const added = index % 2 === 1 ? byContent.get(stretch)! : undefined;
      if (added) return [added.id];
      const stripped = stripBlanks(stretch, {
        left: byContent.get(stretches[index - 1] ?? '')?.stripsRight ?? false,
        right: byContent.get(stretches[index + 1] ?? '')?.stripsLeft ?? false,
      });
      return config.preTokenize(config.normalize(stripped), index === 0).flatMap(config.encodeWord);
    });
  }

  return {
    modelMaxLength,
    encode(text) {
      const all = idsOf(text);
      const kept = all.slice(0, modelMaxLength - prefixIds.length - suffixIds.length);
      const ids = [...prefixIds, ...kept, ...suffixIds];
      const padding = new Array<number>(modelMaxLength - ids.length).fill(config.padId);
      return { ids: [...ids, ...padding], length: ids.length, truncated: all.length - kept.length };
    },
  };
}
