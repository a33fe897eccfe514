/** The words of a prompt under which a generation is found again. */
import { PROMPT_WORDS_MAX } from './limits.ts';

/**
 * One word: a single character of a script that is written without spaces, or a run of letters, marks and digits of
 * the others. `Intl.Segmenter` would cut such scripts better, but differently on each ICU version, and the words of a
 * search have to equal the words that were stored.
 */
const WORD = /[\p{sc=Han}\p{sc=Hiragana}\p{sc=Katakana}\p{sc=Thai}]\p{M}*|[\p{L}\p{N}][\p{L}\p{N}\p{M}]*/gu;
const UNSPACED =
  /[\p{sc=Han}\p{sc=Hiragana}\p{sc=Katakana}\p{sc=Thai}]\p{M}*|[^\p{sc=Han}\p{sc=Hiragana}\p{sc=Katakana}\p{sc=Thai}]+/gu;

/** The first 40 different words of `prompt`, lower-case and compatibility-composed (NFKC), in order of appearance. */
export function promptWords(prompt: string): string[] {
  const words = new Set<string>();
  const text = prompt.normalize('NFKC').toLowerCase().normalize('NFKC');
  for (const [run] of text.matchAll(WORD)) {
    for (const [word] of run.matchAll(UNSPACED)) {
      words.add(word);
      if (words.size === PROMPT_WORDS_MAX) return [...words];
    }
  }
  return [...words];
}
