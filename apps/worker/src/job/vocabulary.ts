/** Tells the user of a small model which words of the prompt it has never learned. */
import { type ModelCard, promptWords } from '@firepod/contract';

/** Sentences for `generation_data.warnings`; none for a model without a vocabulary. */
export function vocabularyWarnings(prompt: string, { name, vocabulary }: ModelCard): string[] {
  if (!vocabulary) return [];
  const { subjects, backgrounds, positions, sizes, words } = vocabulary;
  const known = new Set([subjects, backgrounds, positions, sizes, words].flat().flatMap(promptWords));
  const unknown = promptWords(prompt).filter((word) => !known.has(word));
  if (unknown.length === 0) return [];
  const list = unknown.map((word) => `“${word}”`).join(', ');
  return [`prompt: ${name} does not know ${list}; such words do not show in the picture.`];
}
