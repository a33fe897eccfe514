/** A few prompts that the model can paint, from the words its card lists. */
import type { ModelCard } from '@firepod/contract';

const count = 3;

/** None where the card lists too few words to vary. */
export function promptExamples(card: ModelCard | undefined): string[] {
  const { subjects = [], motions = [], backgrounds = [] } = card?.vocabulary ?? {};
  const isMoving = motions.length > 0;
  if ([subjects, backgrounds, ...(isMoving ? [motions] : [])].some(({ length }) => length < count)) return [];
  // Spread over the lists, whose neighbours are alike; always the same, so that nothing jumps under the pointer.
  const spread = (list: readonly string[], index: number) =>
    list[Math.floor(((index + 0.5) * list.length) / count)] ?? '';
  return Array.from({ length: count }, (_, index) => {
    const motion = isMoving ? ` ${spread(motions, index)}` : '';
    const background = withArticle(spread(backgrounds, index));
    return `${withArticle(spread(subjects, index))}${motion} on ${background} background`;
  });
}

function withArticle(words: string): string {
  if (/ies$/.test(words)) return words;
  return `${/^[aeiou]/.test(words) ? 'an' : 'a'} ${words}`;
}
