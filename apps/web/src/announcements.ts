/** What a screen reader is told when a generation changes its state. */
import type { FirepodGeneration } from '@firepod/client';
import { withoutField } from './problem-words.ts';

/**
 * One sentence for each generation that is new or in another state than before, the oldest first; none where there was
 * no list before: what a page opens with is no news.
 */
export function announcementsOf(
  before: readonly FirepodGeneration[] | undefined,
  now: readonly FirepodGeneration[],
): string[] {
  if (before === undefined) return [];
  const states = new Map(before.map(({ reference, status }) => [reference.path, status]));
  const changed = now.filter(({ reference, status }) => states.get(reference.path) !== status);
  return changed.reverse().map(sentenceOf);
}

function sentenceOf(generation: FirepodGeneration): string {
  const prompt = `“${generation.request_data.prompt ?? 'picture'}”`;
  switch (generation.status) {
    case 'queued':
      return `${prompt} is queued.`;
    case 'processing':
      return `${prompt} is being painted.`;
    case 'completed':
      return `${prompt} is ready.`;
    case 'failed':
      return generation.error_code === 'cancelled'
        ? `${prompt} was cancelled.`
        : `${prompt} failed. ${withoutField(generation.error)}`;
  }
}
